"""The trails of many enrolments in columns: a vectorised :class:`~online_models.recommender.Trail`. Pure.

Columns are numpy arrays with a slot for each enrolment. A step is appended as a few numbers, and evaluated
when its day closes: then the day's steps of all enrolments are sorted once. Tests compare both forms; a
``Trail`` is the form in which a single enrolment's is stored and queried.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from online_models.recommender import FILTER_BITS, HASHES, MAX_OPEN_ITEMS, START, Trail, bit_positions

Ints = NDArray[np.int64]
Flags = NDArray[np.bool_]

MAX_ITEMS = 100_000
"""Items with a number; if there are more, those that no trail refers to are dropped at the close of a day."""

MAX_OPEN_STEPS = 500_000
"""Steps of open days before they are compacted to those that can still affect a result."""


class Items:
    """Numbers of items, so that steps are columns of numbers; 0 stands for no item."""

    def __init__(self) -> None:
        self.names = [START]
        self._numbers: dict[str | None, int] = {START: 0, None: 0}
        self._bit_positions = np.zeros((1024, HASHES), np.int64)

    def __len__(self) -> int:
        return len(self.names)

    def numbers(self, names: Sequence[str | None]) -> Ints:
        """The number of each item, [n]; new items get one."""
        for name in set(names).difference(self._numbers):
            self._add(str(name))
        return np.array(list(map(self._numbers.__getitem__, names)), np.int64)

    def _add(self, name: str) -> None:
        number = self._numbers[name] = len(self.names)
        self.names.append(name)
        if number == len(self._bit_positions):
            self._bit_positions = np.concatenate([self._bit_positions, np.zeros_like(self._bit_positions)])
        self._bit_positions[number] = bit_positions(name)

    def bit_positions(self, numbers: Ints) -> Ints:
        """The bits that each item sets in a filter, [n, HASHES]."""
        positions: Ints = self._bit_positions[numbers]
        return positions

    def ranks(self, numbers: Ints) -> Ints:
        """Ranks of the items in the order of their names, [n]."""
        distinct, inverse = np.unique(numbers, return_inverse=True)
        by_name = sorted(
            range(len(distinct)), key=[self.names[number] for number in distinct.tolist()].__getitem__
        )
        ranks = np.empty(len(distinct), np.int64)
        ranks[by_name] = np.arange(len(distinct))
        by_number: Ints = ranks[inverse]
        return by_number


@dataclass(frozen=True, slots=True)
class _Steps:
    """Columns of steps of open days. late: the step's own day has been closed, so that it only counts as
    done."""

    slots: Ints
    days: Ints
    times: Ints
    items: Ints
    late: Flags

    def __len__(self) -> int:
        return len(self.slots)

    def select(self, chosen: Flags | Ints) -> "_Steps":
        """The steps at a mask or indexes."""
        return _Steps(
            self.slots[chosen], self.days[chosen], self.times[chosen], self.items[chosen], self.late[chosen]
        )

    @classmethod
    def concatenate(cls, parts: Sequence["_Steps"]) -> "_Steps":
        """The steps of all parts, in their order."""
        if len(parts) == 1:
            return parts[0]
        empty = np.zeros(0, np.int64)
        columns = {name: [getattr(part, name) for part in parts] or [empty] for name in cls.__slots__}
        arrays = {name: np.concatenate(column) for name, column in columns.items()}
        return cls(**arrays | {"late": arrays["late"].astype(bool)})


@dataclass(frozen=True, slots=True)
class DayTransitions:
    """The transitions of a day: slots [n], and the items that each of them went from and to."""

    slots: Ints
    starts: list[str]
    to: list[str]


class Trails:
    """The trails of a partition's enrolments. ``changed``: slots whose trail changed since it was cleared."""

    def __init__(self, capacity: int) -> None:
        self.items = Items()
        self.changed = np.zeros(capacity, bool)
        self._last = np.zeros(capacity, np.int64)
        self._done = np.zeros((capacity, FILTER_BITS // 8), np.uint8)
        self._open: list[_Steps] = []
        self._count = 0
        self._open_filters: dict[tuple[int, int], int] = {}
        """(slot, open day) → a restored trail's filter of items done on that day beyond its stored steps."""

    def grow(self, capacity: int) -> None:
        """Extend the columns to ``capacity`` slots."""
        added = capacity - len(self.changed)
        self.changed = np.concatenate([self.changed, np.zeros(added, bool)])
        self._last = np.concatenate([self._last, np.zeros(added, np.int64)])
        self._done = np.concatenate([self._done, np.zeros((added, self._done.shape[1]), np.uint8)])

    def add_steps(
        self, slots: Ints, times: Ints, days: Ints, names: Sequence[str | None], today: int | None
    ) -> None:
        """Append steps of enrolments; all columns have one length. names: items, None for a step without one.

        A step of a day before ``today`` makes no transition, and counts as done from the close of ``today``
        on.
        """
        items = self.items.numbers(names)
        today = int(days.min(initial=0)) if today is None else today
        steps = _Steps(slots, np.maximum(days, today), times, items, days < today)
        self._add(steps if items.all() else steps.select(items > 0))

    def _add(self, steps: _Steps) -> None:
        self.changed[steps.slots] = True
        self._open.append(steps)
        self._count += len(steps)
        if self._count > MAX_OPEN_STEPS:
            self._set_open(self._relevant(_Steps.concatenate(self._open)))

    def _set_open(self, steps: _Steps) -> None:
        self._open, self._count = [steps], len(steps)

    def _relevant(self, steps: _Steps) -> _Steps:
        """Steps by slot and day, in the order of time and name: the first of each item, and the last one.

        Late steps come behind the others, each item once.
        """
        if not len(steps):
            return steps
        steps = steps.select(
            _order(self.items.ranks(steps.items), steps.times, steps.late, steps.days, steps.slots)
        )
        return steps.select(_is_first(steps.slots, steps.days, steps.late, steps.items) | _is_last(steps))

    def close(self, day: int) -> DayTransitions:
        """Close a day; its transitions, at most one for each slot, by slot."""
        everything = _Steps.concatenate(self._open)
        ended = everything.days == day
        self._set_open(everything.select(~ended))
        steps = self._relevant(everything.select(ended))
        own = steps.select(~steps.late)
        transitions = self._transitions(own)
        is_last = _ends_run(own.slots)
        self._last[own.slots[is_last]] = own.items[is_last]
        self._mark_done(steps)
        for slot, open_day in [key for key in self._open_filters if key[1] == day]:
            self._done[slot] |= _bytes(self._open_filters.pop((slot, open_day)))
            self.changed[slot] = True
        if len(self.items) > MAX_ITEMS:
            self._renumber()
        return transitions

    def _transitions(self, steps: _Steps) -> DayTransitions:
        """steps: relevant steps of one day that is not in the filters yet, none of them late."""
        first = steps.select(_is_first(steps.slots, steps.items))
        starts_at = np.flatnonzero(_starts_run(first.slots))
        position = np.arange(len(first)) - np.repeat(starts_at, np.diff(starts_at, append=len(first)))
        first = first.select(position < MAX_OPEN_ITEMS)
        bits = self.items.bit_positions(first.items)
        done = self._done[first.slots[:, None], bits >> 3] >> (bits & 7) & 1
        unseen = first.select(~done.all(axis=1))
        unseen = unseen.select(_starts_run(unseen.slots))
        names = self.items.names
        starts = [names[number] for number in self._last[unseen.slots].tolist()]
        return DayTransitions(unseen.slots, starts, [names[number] for number in unseen.items.tolist()])

    def _mark_done(self, steps: _Steps) -> None:
        """Add the items of a closing day's steps to the filters."""
        slots, row = np.unique(steps.slots, return_inverse=True)
        bits = np.zeros((len(slots), FILTER_BITS), bool)
        bits[row[:, None], self.items.bit_positions(steps.items)] = True
        self._done[slots] |= np.packbits(bits, axis=1, bitorder="little")
        self.changed[slots] = True

    def _renumber(self) -> None:
        """Drop the items that no trail refers to."""
        before, steps = self.items, _Steps.concatenate(self._open)
        self.items = Items()
        used = np.unique(np.concatenate([self._last, steps.items]))
        numbers = np.zeros(len(before), np.int64)
        numbers[used] = self.items.numbers([before.names[number] for number in used.tolist()])
        self._last = numbers[self._last]
        self._set_open(_Steps(steps.slots, steps.days, steps.times, numbers[steps.items], steps.late))

    # -- single enrolments --------------------------------------------------------------------------

    def trail(self, slot: int) -> Trail:
        """The trail of an enrolment, without open days."""
        return Trail(self.items.names[self._last[slot]], int.from_bytes(self._done[slot].tobytes(), "little"))

    def export(self, slots: Iterable[int]) -> Iterator[tuple[int, Trail]]:
        """Slots and their trails, with open days; called for a checkpoint."""
        by_slot = {slot: self.trail(slot) for slot in slots}
        self._set_open(self._relevant(_Steps.concatenate(self._open)))
        for (slot, day), filter_ in self._open_filters.items():
            if slot in by_slot:
                by_slot[slot].add_done(day, filter_)
        names = self.items.names
        (steps,) = self._open
        columns = (steps.slots, steps.days, steps.times, steps.items, steps.late)
        for slot, day, time, item, late in zip(*(column.tolist() for column in columns), strict=True):
            if slot in by_slot:
                if late:
                    by_slot[slot].add_late_step(day, names[item])
                else:
                    by_slot[slot].add_step(day, time, names[item])
        yield from by_slot.items()

    def restore(self, slot: int, trail: Trail) -> None:
        """Restore a slot from a stored trail."""
        self._last[slot] = self.items.numbers([trail.last])[0]
        self._done[slot] = _bytes(trail.done)
        steps: list[tuple[int, int, str]] = []
        for day, open_day in trail.days.items():
            steps += [(day, time, item) for item, time in open_day.first.items()]
            if open_day.first:
                steps.append((day, *open_day.last))
            if open_day.done:
                self._open_filters[slot, day] = open_day.done
        if steps:
            days, times, names = zip(*steps, strict=True)
            items, slots = self.items.numbers(names), np.full(len(steps), slot)
            self._add(_Steps(slots, np.array(days), np.array(times), items, np.zeros(len(steps), bool)))

    def forget(self, slots: Ints) -> None:
        """Clear slots."""
        self._last[slots] = 0
        self._done[slots] = 0
        self.changed[slots] = False
        everything = _Steps.concatenate(self._open)
        self._set_open(everything.select(~np.isin(everything.slots, slots)))
        freed = set(slots.tolist())
        self._open_filters = {key: more for key, more in self._open_filters.items() if key[0] not in freed}


def _bytes(done: int) -> NDArray[np.uint8]:
    return np.frombuffer(done.to_bytes(FILTER_BITS // 8, "little"), np.uint8)


def _starts_run(column: Ints) -> Flags:
    """Whether each number of a sorted column is the first of its run of equal ones."""
    starts = np.ones(len(column), bool)
    starts[1:] = column[1:] != column[:-1]
    return starts


def _ends_run(column: Ints) -> Flags:
    """Whether each number of a sorted column is the last of its run of equal ones."""
    ends = np.ones(len(column), bool)
    ends[:-1] = column[1:] != column[:-1]
    return ends


def _order(*columns: Ints | Flags) -> Ints:
    """``np.lexsort`` (the last column is the primary key), as a single sort where the columns fit into 62
    bits."""
    key, width = np.zeros(len(columns[0]), np.int64), 1
    for column in columns if len(key) else ():
        low, high = int(column.min()), int(column.max())
        span = high - low + 1
        if width * span > 2**62:
            order: Ints = np.lexsort(columns)
            return order
        key += (column.astype(np.int64) - low) * width
        width *= span
    return np.argsort(key, kind="stable")


def _is_first(*columns: Ints | Flags) -> Flags:
    """Whether each combination of the columns occurs for the first time."""
    order = _order(*columns)  # stable: of equal combinations the first stays first
    repeated = np.ones(len(order), bool)
    for column in columns:
        repeated[1:] &= column[order[1:]] == column[order[:-1]]
    repeated[:1] = False
    is_first = np.empty(len(order), bool)
    is_first[order] = ~repeated
    return is_first


def _is_last(steps: _Steps) -> Flags:
    """Whether each step is the last, not late, of its slot and day; steps as ``_relevant`` sorts them."""
    is_last = ~steps.late
    followed = (steps.slots[1:] == steps.slots[:-1]) & (steps.days[1:] == steps.days[:-1]) & ~steps.late[1:]
    is_last[:-1] &= ~followed
    return is_last
