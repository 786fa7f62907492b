"""Recommends a learner's next item from the transitions of others who stopped at the same item. Pure.

A *transition* is a return: from the last item of a learner's active day to the first item that was new to
them on their next active day; an enrolment's first active day starts from ``START``. So only learners who
continued are counted, and their next item is one that a learner who has stopped could do. An enrolment makes
at most one transition a day, so nobody's clicks outweigh the others'.

Transitions from the learner's own last item and from anywhere in the run are combined: few transitions from
an item are little evidence, so the run's shares count as ``RUN_WEIGHT`` additional transitions (additive
smoothing). A course moves on, so counts decay with a half-life of a week. The day's counts of all partitions
are merged before the table is truncated, so the result does not depend on how learners are partitioned;
:func:`learn` keeps the ``MAX_PAIRS`` pairs of the largest weights. A :data:`Table` is plain data.

A :class:`Trail` holds the item at which an enrolment stopped and the set of items it has done. That set is a
Bloom filter of 128 bytes: an item that was done is never recommended; one that was not is a false positive
with a probability of 1 % after 100 items and 22 % after 300, and then it is not recommended. Items that a
platform does not name as ``object`` cannot be recommended.

The recommender knows neither the order of a course nor the content of an item, only the steps of other
learners.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from hashlib import blake2b
from heapq import merge
from typing import Any, Self

START = ""
"""The start of the first transition of an enrolment."""

FILTER_BITS, HASHES = 1024, 4

MAX_OPEN_ITEMS = 32
"""Items stored of an open day, the earliest ones: the first new item is searched among these."""

HALF_LIFE_DAYS = 7.0
"""On two runs of OULAD the first recommendation was right more often the shorter this was, down to three days
(``python -m benchmarks.next_items``); with a week the table still has weights after a holiday of three."""

MIN_WEIGHT = 0.002
"""Weights below this are dropped: a single transition is retained for two months."""

RUN_WEIGHT = 100.0
"""Weight of the run's shares, in transitions. Of OULAD's runs one is best with 20, another with 400; with
this, the most frequent item of the run is a better first recommendation in none."""

MAX_PAIRS = 4000
"""Pairs of all runs together: about 150 kB of a day package, which every worker keeps for 60 days."""

MAX_SUCCESSORS = 5

Transitions = Counter[tuple[str, str, str]]
"""(course run, from, to) → count."""

Successors = dict[str, dict[str, float]]
"""From → to → weight."""

Table = dict[str, Successors]
"""Course run → successors."""


def bit_positions(item: str) -> list[int]:
    """The ``HASHES`` bits that an item sets in a filter."""
    digest = blake2b(item.encode(), digest_size=2 * HASHES).digest()
    return [
        int.from_bytes(digest[start : start + 2], "big") % FILTER_BITS for start in range(0, 2 * HASHES, 2)
    ]


@lru_cache(maxsize=100_000)
def _bits(item: str) -> int:
    bits = 0
    for position in bit_positions(item):
        bits |= 1 << position
    return bits


@dataclass(slots=True)
class _OpenDay:
    """A day that is not closed: the time at which each item was first done, the last step, and a filter of
    the items that are not among the ``MAX_OPEN_ITEMS`` earliest."""

    first: dict[str, int] = field(default_factory=dict)
    last: tuple[int, str] = (-1, "")
    done: int = 0

    def add_step(self, time: int, item: str) -> None:
        if time >= self.last[0]:
            self.last = max(self.last, (time, item))
        first_time = self.first.get(item)
        if first_time is None or time < first_time:
            self.first[item] = time
            if len(self.first) > MAX_OPEN_ITEMS:
                latest = max(self.first, key=lambda candidate: (self.first[candidate], candidate))
                del self.first[latest]
                self.done |= _bits(latest)


@dataclass(slots=True)
class Trail:
    """The history of one enrolment: its last item before the open days, and the filter of items done.

    The same steps leave the same trail in any order, as long as their day is open.
    """

    last: str = START
    done: int = 0
    days: dict[int, _OpenDay] = field(default_factory=dict)

    @classmethod
    def from_record(cls, record: Mapping[str, Any]) -> Self:
        """The trail of a record that :meth:`to_record` made."""
        days = {
            int(day): _OpenDay(first, (last[0], last[1]), int(done, 16))
            for day, (first, last, done) in record["days"].items()
        }
        return cls(record["last"], int(record["done"], 16), days)

    def to_record(self) -> dict[str, Any]:
        """Plain data, for JSON."""
        days = {
            str(day): [open_day.first, open_day.last, f"{open_day.done:x}"]
            for day, open_day in sorted(self.days.items())
        }
        return {"last": self.last, "done": f"{self.done:x}", "days": days}

    def add_step(self, day: int, time: int, item: str) -> None:
        """Add a step of an open day. time: within the day."""
        open_day = self.days.get(day)
        if open_day is None:
            open_day = self.days[day] = _OpenDay()
        open_day.add_step(time, item)

    def add_late_step(self, day: int, item: str) -> None:
        """Add a step of a closed day: it makes no transition, and counts as done from the close of the open
        day ``day`` on, not at once, since a decision on the last close may still be pending."""
        self.days.setdefault(day, _OpenDay()).done |= _bits(item)

    def add_done(self, day: int, done: int) -> None:
        """Add a filter of items done on an open day beyond its stored steps."""
        self.days.setdefault(day, _OpenDay()).done |= done

    def close(self, day: int) -> tuple[str, str] | None:
        """Close a day; its transition (from, to), None where there was none."""
        open_day = self.days.pop(day, None)
        if open_day is None:
            return None
        start, before, done = self.last, self.done, open_day.done
        earliest: tuple[int, str] | None = None
        for item, time in open_day.first.items():
            bits = _bits(item)
            done |= bits
            if before & bits != bits and (earliest is None or (time, item) < earliest):
                earliest = time, item
        if open_day.first:
            self.last = open_day.last[1]
        self.done = before | done
        return None if earliest is None else (start, earliest[1])

    def has_done(self, item: str) -> bool:
        """Whether the item was done on a closed day; false positives are rare, false negatives impossible."""
        bits = _bits(item)
        return self.done & bits == bits


def transitions_by_run(transitions: Transitions) -> dict[str, dict[str, dict[str, int]]]:
    """Transitions nested by course run and start, sorted, for a day report."""
    by_run: dict[str, dict[str, dict[str, int]]] = {}
    for (run, start, to), count in sorted(transitions.items()):
        by_run.setdefault(run, {}).setdefault(start, {})[to] = count
    return by_run


def merge_transitions(reports: Iterable[Mapping[str, Mapping[str, Mapping[str, int]]]]) -> Transitions:
    """The sum of the transitions of several day reports."""
    merged: Transitions = Counter()
    for report in reports:
        for run, starts in report.items():
            for start, after in starts.items():
                for next_item, count in after.items():
                    merged[run, start, next_item] += count
    return merged


def learn(table: Table, transitions: Transitions, days: int = 1) -> Table:
    """The table ``days`` after ``table``, with the transitions of the last day.

    Runs without any remaining weight are dropped, so that runs that have ended disappear.
    """
    decay = 0.5 ** (days / HALF_LIFE_DAYS)
    weights: dict[str, Successors] = {
        run: {
            start: {next_item: decay * weight for next_item, weight in after.items()}
            for start, after in successors.items()
        }
        for run, successors in table.items()
    }
    for (run, start, next_item), count in transitions.items():
        after = weights.setdefault(run, {}).setdefault(start, {})
        after[next_item] = after.get(next_item, 0.0) + count
    successors_of_run = {run: _top_successors(weights[run]) for run in sorted(weights)}
    alive = [run for run in successors_of_run if successors_of_run[run]]
    return {run: _top_pairs(successors_of_run[run], MAX_PAIRS // len(alive)) for run in alive}


def _top_successors(weights: Successors) -> Successors:
    """The ``MAX_SUCCESSORS`` of the largest weights by item, in descending order, none below
    ``MIN_WEIGHT``."""
    successors: Successors = {}
    for start in sorted(weights):
        pairs = [(-weight, next_item) for next_item, weight in weights[start].items() if weight >= MIN_WEIGHT]
        if pairs:
            successors[start] = {
                next_item: -negative for negative, next_item in sorted(pairs)[:MAX_SUCCESSORS]
            }
    return successors


def _top_pairs(weights: Successors, limit: int) -> Successors:
    """The ``limit`` pairs of the largest weights, rounded."""
    if sum(map(len, weights.values())) > limit:
        pairs = (
            (-weight, (start, next_item))
            for start, after in weights.items()
            for next_item, weight in after.items()
        )
        top: Successors = {}
        for negative, (start, next_item) in sorted(pairs)[:limit]:
            top.setdefault(start, {})[next_item] = -negative
        weights = {start: top[start] for start in sorted(top)}
    return {
        start: {next_item: round(weight, 4) for next_item, weight in after.items()}
        for start, after in weights.items()
    }


def item_shares(successors: Successors) -> dict[str, float]:
    """The share of each item among all transitions, from any start, in descending order."""
    totals: dict[str, float] = {}
    for after in successors.values():
        for item, weight in after.items():
            totals[item] = totals.get(item, 0.0) + weight
    total = sum(totals.values())
    return {item: totals[item] / total for item in sorted(totals, key=lambda item: (-totals[item], item))}


class Recommender:
    """Recommends items, from the table of a day package."""

    def __init__(self, table: Table) -> None:
        self._table = table
        self._popular: dict[str, dict[str, float]] = {}

    def next_item(self, run: str, trail: Trail) -> str | None:
        """The item to do next in the run; None where all items of the table are done."""
        return next(self.ranked_items(run, trail), None)

    def ranked_items(self, run: str, trail: Trail) -> Iterator[str]:
        """The items not done, in descending order of their score."""
        successors = self._table.get(run, {})
        if run not in self._popular:
            self._popular[run] = item_shares(successors)
        own, shares = successors.get(trail.last, {}), self._popular[run]
        near = sorted((-weight - RUN_WEIGHT * shares[item], item) for item, weight in own.items())
        far = ((-RUN_WEIGHT * share, item) for item, share in shares.items() if item not in own)
        return (item for _, item in merge(near, far) if not trail.has_done(item))
