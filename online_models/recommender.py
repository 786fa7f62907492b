"""The next step for a learner: the item with which those who had stopped at the same one went on. Pure.

A *transition* is a return. A learner's last item of an active day leads to the first item that was new to
them on their next active day; an enrolment's first active day starts from ``START``. So only learners who
continued are counted, and what they did next is what somebody who has stopped could do next. One enrolment
gives at most one transition a day, so nobody's clicking outweighs the others.

What followed the learner's own last item and what followed anywhere in the run are weighed together: a spot
at which few have stopped says little, so the run counts there as if ``RUN_WEIGHT`` had stopped at it too. A
course moves on, so transitions, counted in whole numbers, forget by half in a week. Every day's counts of all
partitions are merged before anything is cut, so the result does not depend on how learners were spread;
:func:`learn` keeps the heaviest ``MOST_PAIRS``. A :data:`Table` is plain data.

Of each enrolment :class:`Trail` remembers where it stopped and what it has done. That set is a Bloom filter
of 128 bytes: an item that was done is always found in it, so it is never suggested; one that was not is
taken for done by mistake with a probability of 1 % after 100 items and 22 % after 300, and then it is just
not suggested. What a platform does not name as an ``object`` cannot be suggested.

It does not know the order of a course, nor what an item is: that a learner should go there is said by others'
steps alone.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from hashlib import blake2b
from heapq import merge
from typing import Any, Self

START = ""
"""Where an enrolment comes from that has done nothing yet."""

FILTER_BITS, HASHES = 1024, 4

KEPT = 32
"""Of an open day's items, by the time they were first done: the first new one is looked for among these."""

HALF_LIFE_DAYS = 7.0
"""On two runs of OULAD the first suggestion was right more often the shorter this was, down to three days
(``python -m benchmarks.next_items``); a week still knows something after a holiday of three."""

LEAST_WEIGHT = 0.002
"""A transition that was seen once is forgotten after two months: little is more than nothing."""

RUN_WEIGHT = 100.0
"""Transitions of one's own spot that weigh as much as the whole run. Of OULAD's runs one is better served
with 20, another with 400; with this, what is most frequent in it is a better first suggestion in none."""

MOST_PAIRS = 4000
"""Of all runs together: about 150 kB of a day package, which every worker keeps for 60 days."""

MOST_SUCCESSORS = 5

Transitions = Counter[tuple[str, str, str]]
"""(course run, from, to) → how often."""

Successors = dict[str, dict[str, float]]
"""From → the items that followed → their weights."""

Table = dict[str, Successors]
"""Course run → successors."""


def places(item: str) -> list[int]:
    """The bits that an item sets in a filter, ``HASHES`` of them."""
    digest = blake2b(item.encode(), digest_size=2 * HASHES).digest()
    return [int.from_bytes(digest[at : at + 2], "big") % FILTER_BITS for at in range(0, 2 * HASHES, 2)]


@lru_cache(maxsize=100_000)
def _bits(item: str) -> int:
    found = 0
    for place in places(item):
        found |= 1 << place
    return found


@dataclass(slots=True)
class _Day:
    """A day that is not closed: when each of its items was first done, which was last, and a filter of
    those that are not among the ``KEPT`` first."""

    first: dict[str, int] = field(default_factory=dict)
    last: tuple[int, str] = (-1, "")
    done: int = 0

    def take(self, time: int, item: str) -> None:
        if time >= self.last[0]:
            self.last = max(self.last, (time, item))
        known = self.first.get(item)
        if known is None or time < known:
            self.first[item] = time
            if len(self.first) > KEPT:
                latest = max(self.first, key=lambda one: (self.first[one], one))
                del self.first[latest]
                self.done |= _bits(latest)


@dataclass(slots=True)
class Trail:
    """Where one enrolment stands: its last item before the days that are open, and all it has done.

    The same steps leave the same trail in whatever order they come, as long as their day is open.
    """

    last: str = START
    done: int = 0
    days: dict[int, _Day] = field(default_factory=dict)

    @classmethod
    def of(cls, record: Mapping[str, Any]) -> Self:
        """The trail that :meth:`record` wrote down."""
        days = {
            int(day): _Day(first, (last[0], last[1]), int(done, 16))
            for day, (first, last, done) in record["days"].items()
        }
        return cls(record["last"], int(record["done"], 16), days)

    def record(self) -> dict[str, Any]:
        """As plain data, for JSON."""
        days = {str(day): [one.first, one.last, f"{one.done:x}"] for day, one in sorted(self.days.items())}
        return {"last": self.last, "done": f"{self.done:x}", "days": days}

    def take(self, day: int, time: int, item: str) -> None:
        """Take a step of a day that is open, at a moment within it."""
        found = self.days.get(day)
        if found is None:
            found = self.days[day] = _Day()
        found.take(time, item)

    def take_late(self, day: int, item: str) -> None:
        """Take a step of a day that has been closed: it leads nowhere, and counts as done from the close of
        ``day`` on, which is open: not at once, since a decision on the last close may still be to come."""
        self.days.setdefault(day, _Day()).done |= _bits(item)

    def take_done(self, day: int, done: int) -> None:
        """Take what a filter says was done on a day that is open, beyond the steps that are kept."""
        self.days.setdefault(day, _Day()).done |= done

    def close(self, day: int) -> tuple[str, str] | None:
        """End a day; the transition that it made, where it made one."""
        found = self.days.pop(day, None)
        if found is None:
            return None
        start, before, done = self.last, self.done, found.done
        earliest: tuple[int, str] | None = None
        for item, time in found.first.items():
            bits = _bits(item)
            done |= bits
            if before & bits != bits and (earliest is None or (time, item) < earliest):
                earliest = time, item
        if found.first:
            self.last = found.last[1]
        self.done = before | done
        return None if earliest is None else (start, earliest[1])

    def has_done(self, item: str) -> bool:
        """Whether the item was done on a closed day; rarely also where it was not, never the other way."""
        bits = _bits(item)
        return self.done & bits == bits


def by_run(transitions: Transitions) -> dict[str, dict[str, dict[str, int]]]:
    """Transitions as a day report tells them, in an order of their own."""
    found: dict[str, dict[str, dict[str, int]]] = {}
    for (run, start, to), count in sorted(transitions.items()):
        found.setdefault(run, {}).setdefault(start, {})[to] = count
    return found


def merged(reports: Iterable[Mapping[str, Mapping[str, Mapping[str, int]]]]) -> Transitions:
    """What several reports tell, together."""
    found: Transitions = Counter()
    for report in reports:
        for run, starts in report.items():
            for start, after in starts.items():
                for to, count in after.items():
                    found[run, start, to] += count
    return found


def learn(table: Table, transitions: Transitions, days: int = 1) -> Table:
    """The table some days after ``table``, with the transitions of the last one.

    Runs of which nothing is left are dropped, so the table of a course that is over goes by itself.
    """
    keep = 0.5 ** (days / HALF_LIFE_DAYS)
    weights: dict[str, Successors] = {
        run: {
            start: {to: keep * weight for to, weight in after.items()} for start, after in successors.items()
        }
        for run, successors in table.items()
    }
    for (run, start, to), count in transitions.items():
        after = weights.setdefault(run, {}).setdefault(start, {})
        after[to] = after.get(to, 0.0) + count
    found = {run: _likely(weights[run]) for run in sorted(weights)}
    alive = [run for run in found if found[run]]
    return {run: _heaviest(found[run], MOST_PAIRS // len(alive)) for run in alive}


def _likely(weights: Successors) -> Successors:
    """Of each item the heaviest successors, the heaviest first; none of less than ``LEAST_WEIGHT``."""
    found: Successors = {}
    for start in sorted(weights):
        pairs = [(-weight, to) for to, weight in weights[start].items() if weight >= LEAST_WEIGHT]
        if pairs:
            found[start] = {to: -negative for negative, to in sorted(pairs)[:MOST_SUCCESSORS]}
    return found


def _heaviest(weights: Successors, most: int) -> Successors:
    """Of all pairs the heaviest, rounded."""
    if sum(map(len, weights.values())) > most:
        pairs = ((-weight, (start, to)) for start, after in weights.items() for to, weight in after.items())
        kept: Successors = {}
        for negative, (start, to) in sorted(pairs)[:most]:
            kept.setdefault(start, {})[to] = -negative
        weights = {start: kept[start] for start in sorted(kept)}
    return {start: {to: round(one, 4) for to, one in after.items()} for start, after in weights.items()}


def popular(successors: Successors) -> dict[str, float]:
    """The shares of the items with which learners went on, wherever they had stopped; the largest first."""
    totals: dict[str, float] = {}
    for after in successors.values():
        for to, weight in after.items():
            totals[to] = totals.get(to, 0.0) + weight
    whole = sum(totals.values())
    return {item: totals[item] / whole for item in sorted(totals, key=lambda item: (-totals[item], item))}


class Recommender:
    """Says what to do next, by a day package's table."""

    def __init__(self, table: Table) -> None:
        self._table = table
        self._popular: dict[str, dict[str, float]] = {}

    def next_item(self, run: str, trail: Trail) -> str | None:
        """What to do next in the run; None where everything known is done."""
        return next(self.ranked(run, trail), None)

    def ranked(self, run: str, trail: Trail) -> Iterator[str]:
        """The items not done, the likeliest first."""
        successors = self._table.get(run, {})
        if run not in self._popular:
            self._popular[run] = popular(successors)
        here, everywhere = successors.get(trail.last, {}), self._popular[run]
        near = sorted((-weight - RUN_WEIGHT * everywhere[item], item) for item, weight in here.items())
        far = ((-RUN_WEIGHT * share, item) for item, share in everywhere.items() if item not in here)
        return (item for _, item in merge(near, far) if not trail.has_done(item))
