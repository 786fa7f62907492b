"""The trails of many enrolments at once: what :class:`~online_models.recommender.Trail` says of one. Pure.

Columns of numpy arrays, a place an enrolment. A step is noted as a few numbers when it is taken, and looked
at when its day ends: then the steps of the day are sorted once for everybody. Tests hold both forms to the
same answers, and a ``Trail`` is how one enrolment's is stored and asked.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from online_models.recommender import FILTER_BITS, HASHES, KEPT, START, Trail, places

Ints = NDArray[np.int64]
Flags = NDArray[np.bool_]

MOST_ITEMS = 100_000
"""Items known by number; once there are more, those that no trail names are forgotten at a day's end."""

MOST_STEPS = 500_000
"""Steps of open days that are kept as they came; of more, only those that can still matter."""


class Items:
    """Items by number, so that steps are numbers; 0 is none."""

    def __init__(self) -> None:
        self.names = [START]
        self._numbers: dict[str | None, int] = {START: 0, None: 0}
        self._places = np.zeros((1024, HASHES), np.int64)

    def __len__(self) -> int:
        return len(self.names)

    def numbers(self, names: Sequence[str | None]) -> Ints:
        """The number of each item, made where it is new, [n]."""
        for name in set(names).difference(self._numbers):
            self._add(str(name))
        return np.array(list(map(self._numbers.__getitem__, names)), np.int64)

    def _add(self, name: str) -> None:
        number = self._numbers[name] = len(self.names)
        self.names.append(name)
        if number == len(self._places):
            self._places = np.concatenate([self._places, np.zeros_like(self._places)])
        self._places[number] = places(name)

    def places(self, numbers: Ints) -> Ints:
        """Where each item sets bits in a filter, [n, HASHES]."""
        found: Ints = self._places[numbers]
        return found

    def ranks(self, numbers: Ints) -> Ints:
        """Numbers that sort as the names do, [n]."""
        found, inverse = np.unique(numbers, return_inverse=True)
        by_name = sorted(range(len(found)), key=[self.names[number] for number in found.tolist()].__getitem__)
        ranks = np.empty(len(found), np.int64)
        ranks[by_name] = np.arange(len(found))
        wanted: Ints = ranks[inverse]
        return wanted


@dataclass(frozen=True, slots=True)
class _Steps:
    """Steps of open days, column by column. late: its own day is over, so that it only counts as done."""

    slots: Ints
    days: Ints
    times: Ints
    items: Ints
    late: Flags

    def __len__(self) -> int:
        return len(self.slots)

    def at(self, places: Flags | Ints) -> "_Steps":
        """Some of them."""
        return _Steps(
            self.slots[places], self.days[places], self.times[places], self.items[places], self.late[places]
        )

    @classmethod
    def joined(cls, parts: Sequence["_Steps"]) -> "_Steps":
        """All of them."""
        if len(parts) == 1:
            return parts[0]
        none = np.zeros(0, np.int64)
        columns = {name: [getattr(part, name) for part in parts] or [none] for name in cls.__slots__}
        found = {name: np.concatenate(column) for name, column in columns.items()}
        return cls(**found | {"late": found["late"].astype(bool)})


@dataclass(frozen=True, slots=True)
class Made:
    """The transitions of a day: places [n], and from and to which item each of them went."""

    slots: Ints
    starts: list[str]
    to: list[str]


class Trails:
    """See the module's text. ``changed``: places whose trail is not as it was when that was cleared."""

    def __init__(self, capacity: int) -> None:
        self.items = Items()
        self.changed = np.zeros(capacity, bool)
        self._last = np.zeros(capacity, np.int64)
        self._done = np.zeros((capacity, FILTER_BITS // 8), np.uint8)
        self._open: list[_Steps] = []
        self._count = 0
        self._more: dict[tuple[int, int], int] = {}
        """Place and open day → what a stored trail had done on it beyond the steps that it kept."""

    def grow(self, capacity: int) -> None:
        """Make room for more."""
        more = capacity - len(self.changed)
        self.changed = np.concatenate([self.changed, np.zeros(more, bool)])
        self._last = np.concatenate([self._last, np.zeros(more, np.int64)])
        self._done = np.concatenate([self._done, np.zeros((more, self._done.shape[1]), np.uint8)])

    def take(
        self, slots: Ints, times: Ints, days: Ints, names: Sequence[str | None], today: int | None
    ) -> None:
        """Enrolments did something, at a moment of a day, with an item where one is named; all of one length.

        A step of a day before ``today`` leads nowhere, and counts as done from the close of ``today`` on.
        """
        items = self.items.numbers(names)
        today = int(days.min(initial=0)) if today is None else today
        steps = _Steps(slots, np.maximum(days, today), times, items, days < today)
        self._add(steps if items.all() else steps.at(items > 0))

    def _add(self, steps: _Steps) -> None:
        self.changed[steps.slots] = True
        self._open.append(steps)
        self._count += len(steps)
        if self._count > MOST_STEPS:
            self._keep(self._needed(_Steps.joined(self._open)))

    def _keep(self, steps: _Steps) -> None:
        self._open, self._count = [steps], len(steps)

    def _needed(self, steps: _Steps) -> _Steps:
        """By place and day, in the order of time and name: the first of each item, and the last of all.

        Late ones come behind the others, each once.
        """
        if not len(steps):
            return steps
        steps = steps.at(
            _order(self.items.ranks(steps.items), steps.times, steps.late, steps.days, steps.slots)
        )
        return steps.at(_firsts(steps.slots, steps.days, steps.late, steps.items) | _lasts(steps))

    def close(self, day: int) -> Made:
        """End a day; the transitions that it made, in no order of their own."""
        everything = _Steps.joined(self._open)
        ended = everything.days == day
        self._keep(everything.at(~ended))
        steps = self._needed(everything.at(ended))
        own = steps.at(~steps.late)
        made = self._transitions(own)
        last = _changes_after(own.slots)
        self._last[own.slots[last]] = own.items[last]
        self._do(steps)
        for slot, one in [key for key in self._more if key[1] == day]:
            self._done[slot] |= _bytes(self._more.pop((slot, one)))
            self.changed[slot] = True
        if len(self.items) > MOST_ITEMS:
            self._renumber()
        return made

    def _transitions(self, steps: _Steps) -> Made:
        """steps: of one day that is not in the filters yet, none of them late, as they are needed."""
        first = steps.at(_firsts(steps.slots, steps.items))
        begins = np.flatnonzero(_changes(first.slots))
        number = np.arange(len(first)) - np.repeat(begins, np.diff(begins, append=len(first)))
        first = first.at(number < KEPT)
        bits = self.items.places(first.items)
        done = self._done[first.slots[:, None], bits >> 3] >> (bits & 7) & 1
        new = first.at(~done.all(axis=1))
        new = new.at(_changes(new.slots))
        names = self.items.names
        starts = [names[number] for number in self._last[new.slots].tolist()]
        return Made(new.slots, starts, [names[number] for number in new.items.tolist()])

    def _do(self, steps: _Steps) -> None:
        """Count what steps of the day that ends were with as done."""
        slots, place = np.unique(steps.slots, return_inverse=True)
        bits = np.zeros((len(slots), FILTER_BITS), bool)
        bits[place[:, None], self.items.places(steps.items)] = True
        self._done[slots] |= np.packbits(bits, axis=1, bitorder="little")
        self.changed[slots] = True

    def _renumber(self) -> None:
        """Forget the items that no trail names."""
        before, steps = self.items, _Steps.joined(self._open)
        self.items = Items()
        used = np.unique(np.concatenate([self._last, steps.items]))
        numbers = np.zeros(len(before), np.int64)
        numbers[used] = self.items.numbers([before.names[number] for number in used.tolist()])
        self._last = numbers[self._last]
        self._keep(_Steps(steps.slots, steps.days, steps.times, numbers[steps.items], steps.late))

    # -- one at a time ------------------------------------------------------------------------------

    def of(self, slot: int) -> Trail:
        """Where an enrolment stands, without the days that are open."""
        return Trail(self.items.names[self._last[slot]], int.from_bytes(self._done[slot].tobytes(), "little"))

    def stored(self, slots: Iterable[int]) -> Iterator[tuple[int, Trail]]:
        """The trails of some places, whole."""
        found = {slot: self.of(slot) for slot in slots}
        self._keep(self._needed(_Steps.joined(self._open)))
        for (slot, day), more in self._more.items():
            if slot in found:
                found[slot].take_done(day, more)
        names = self.items.names
        (steps,) = self._open
        columns = (steps.slots, steps.days, steps.times, steps.items, steps.late)
        for slot, day, time, item, late in zip(*(column.tolist() for column in columns), strict=True):
            if slot in found:
                if late:
                    found[slot].take_late(day, names[item])
                else:
                    found[slot].take(day, time, names[item])
        yield from found.items()

    def put(self, slot: int, trail: Trail) -> None:
        """Go on from a stored trail."""
        self._last[slot] = self.items.numbers([trail.last])[0]
        self._done[slot] = _bytes(trail.done)
        steps: list[tuple[int, int, str]] = []
        for day, one in trail.days.items():
            steps += [(day, time, item) for item, time in one.first.items()]
            if one.first:
                steps.append((day, *one.last))
            if one.done:
                self._more[slot, day] = one.done
        if steps:
            days, times, names = zip(*steps, strict=True)
            items, slots = self.items.numbers(names), np.full(len(steps), slot)
            self._add(_Steps(slots, np.array(days), np.array(times), items, np.zeros(len(steps), bool)))

    def forget(self, slots: Ints) -> None:
        """Let places go."""
        self._last[slots] = 0
        self._done[slots] = 0
        self.changed[slots] = False
        everything = _Steps.joined(self._open)
        self._keep(everything.at(~np.isin(everything.slots, slots)))
        gone = set(slots.tolist())
        self._more = {key: more for key, more in self._more.items() if key[0] not in gone}


def _bytes(done: int) -> NDArray[np.uint8]:
    return np.frombuffer(done.to_bytes(FILTER_BITS // 8, "little"), np.uint8)


def _changes(column: Ints) -> Flags:
    """Where a column of sorted numbers has another one than before; the first place is one."""
    found = np.ones(len(column), bool)
    found[1:] = column[1:] != column[:-1]
    return found


def _changes_after(column: Ints) -> Flags:
    """Where a column of sorted numbers has another one next; the last place is one."""
    found = np.ones(len(column), bool)
    found[:-1] = column[1:] != column[:-1]
    return found


def _order(*columns: Ints | Flags) -> Ints:
    """``np.lexsort``, in a single sort where the columns fit into one number; by the last column first."""
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


def _firsts(*columns: Ints | Flags) -> Flags:
    """Where a combination is there for the first time."""
    order = _order(*columns)  # stable: of equal ones the first stays first
    repeated = np.ones(len(order), bool)
    for column in columns:
        repeated[1:] &= column[order[1:]] == column[order[:-1]]
    repeated[:1] = False
    found = np.empty(len(order), bool)
    found[order] = ~repeated
    return found


def _lasts(steps: _Steps) -> Flags:
    """The last step, not late, of each place and day; steps as ``_needed`` sorts them."""
    found = ~steps.late
    same = (steps.slots[1:] == steps.slots[:-1]) & (steps.days[1:] == steps.days[:-1]) & ~steps.late[1:]
    found[:-1] &= ~same
    return found
