"""All state of one partition: a row an enrolment, and the few things that belong to all of them.

An enrolment is one element of a structured array. Its bytes are what the state topic keeps, so there
is nothing to convert and one definition of what is stored. Everything else of the partition (its
clock, calendars, facts waiting for their day, learners with a nudge history, decisions whose outcome is
not known yet, event ids seen) is a JSON row under a key of its own; a large one is cut into pieces
(:mod:`engine.pieces`). What is counted of the open days is a row a subject, a *section*.

A checkpoint is the rows that changed since the last one, closed by the partition's own row: the
*mark*. Rows after the last mark were never completed and do not count. The mark is small whatever the
partition holds: it says where the partition stands, and which sections belong to it.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import orjson
from numpy.typing import NDArray

from engine.pieces import IncompleteError, LargeRows
from engine.pseudonyms import Identity
from engine.state.cohort_yardsticks import Measures
from engine.state.event_ids import EventIds, rows_of
from engine.state.sections import LostRowsError, Sections
from engine.state.source_counts import Tallies
from engine.state.unobserved_days import Unseen
from engine.state.withdrawals import Leaving
from features import coursework, ring
from features.catalogue import FEATURES, FINGERPRINT
from features.coursework import OPEN_END, Run, unknown_run
from features.ring import NEVER, Ints
from features.unplaced import Unplaced
from online_models import memory
from online_models.labels import KEPT
from online_models.recommender import Trail
from online_models.trails import Trails
from schemas.errors import HomeroomError
from schemas.fields import DAY_S, EARLIEST, LATEST

F = len(FEATURES)
VERSION = 6

ROW = np.dtype(
    [
        *ring.FIELDS,
        *coursework.FIELDS,
        ("seen", "<i4"),  # first day of any activity
        ("hash", "<u8"),  # staggers and samples; from the pseudonym
        ("outcome", "u1"),
        ("outcome_day", "<i4"),
        ("probability", "<f4"),  # the newest estimate
        ("memory", "<f4", (memory.ESTIMATES,)),  # mean log-odds of the days so far
        ("level", "u1"),
        ("candidate", "u1"),
        ("streak", "u1"),
        ("told", "<f4"),  # the estimate of the last risk change, and what it rested on
        ("told_memory", "<f4"),  # what the memory had made of its log-odds
        ("told_shift", "<f4"),  # what the run's intercept had added to them
        ("told_codes", "u1", (F,)),
        ("told_ranks", "u1", (F,)),
        ("written", "<f4"),  # the estimate last written to the store, and when
        ("written_day", "<i4"),
        ("taken", "u1"),  # snapshots offered to the reservoir so far
        ("snap_day", "<i4", (KEPT,)),  # pending training snapshots; NEVER where none
        ("snap_probability", "<f4", (KEPT,)),
        ("snap_served", "u1", (KEPT,)),
        ("snap_codes", "u1", (KEPT, F)),
        ("snap_ranks", "u1", (KEPT, F)),
    ]
)
"""One enrolment. Packed, little-endian; its layout is guarded by ``VERSION`` and the fingerprint."""

_ROW_5 = np.dtype([(name, ROW[name]) for name in ROW.names or () if name != "scored"])
"""That of version 5, which did not tell the order of the scores but for the last one."""

_READ = {5: _ROW_5, VERSION: ROW}
"""Versions whose rows can be read."""

_BEGIN_OF_TIME, _END_OF_TIME = int(EARLIEST.timestamp()), int(LATEST.timestamp())


def _new_row() -> NDArray[Any]:
    """An enrolment of which nothing is known yet."""
    row, place = np.zeros(1, ROW), np.zeros(1, np.int64)
    ring.clear(row, place)
    coursework.clear(row, place)
    for name in ("seen", "outcome_day", "written_day", "snap_day"):
        row[name] = NEVER
    row["memory"] = memory.NOTHING
    return row


_NEW = _new_row()[0]

StateRow = tuple[bytes, bytes | None]
"""A key of the state topic and its value; None deletes."""

MARK = b"mark"
_POLICY, _OUTBOX = b"policy", b"n"
_ENROLMENT, _RUN, _LEARNER, _FACT, _IDS = b"e", b"c", b"l", b"f", b"i"
_EXPOSURES, _TRAIL = b"x", b"t"
_UNPLACED, _WORK_NAMES = b"w", b"v"


class StateMismatchError(HomeroomError, ValueError):
    """Stored rows were written by another version of the features or layout, or some are lost."""


class StateIncompleteError(HomeroomError, ValueError):
    """Rows that the last checkpoint counts are gone. The message says of what, and what to do."""


@dataclass(slots=True)
class Clock:
    """Where a partition stands. Times are epoch seconds, days are epoch days.

    today: the first day not closed; None before the first event. newest: the largest event time
    seen. ticked: the newest clock tick, doubted: one that no other record has borne out yet. applied: the
    last applied offset of each inbound topic. topics: the topic's id on the broker for which that offset
    counts. lost: offsets that were gone unread.
    """

    today: int | None = None
    newest: int = NEVER
    ticked: int = NEVER
    applied: dict[str, int] = field(default_factory=dict)
    events: int = 0
    duplicates: int = 0
    dead_letters: int = 0
    doubted: int = NEVER
    topics: dict[str, str] = field(default_factory=dict)
    lost: int = 0


class PartitionState:
    """The enrolments of a partition and what goes with them. Holds; decides nothing."""

    def __init__(self, identity: Identity, capacity: int = 1024) -> None:
        self._identity = identity
        self.rows: NDArray[Any] = np.zeros(capacity, ROW)
        self.keys: list[tuple[str, str] | None] = []
        self.slots: dict[tuple[str, str], int] = {}
        self.run_of = np.full(capacity, -1, np.int32)
        self.pseudonyms: list[tuple[str, str]] = []
        self._free: list[int] = []
        self.runs: list[Run] = []
        self.run_index: dict[str, int] = {}
        self.calendars: dict[str, dict[str, Any]] = {}
        self.learners: dict[str, dict[str, Any]] = {}
        self.exposures: dict[tuple[str, str], list[list[Any]]] = {}
        self.facts: dict[str, dict[str, Any]] = {}
        self.policy: dict[str, Any] | None = None
        self.outbox: dict[str, list[str]] = {}
        """Messages for notifiers by name, each with its learner, until they have been sent."""
        self.clock = Clock()
        self.trails = Trails(capacity)
        self.unplaced = Unplaced()
        self.ids = EventIds()
        self.counters: dict[tuple[str, str, int, int], list[int]] = {}
        self.tallies = Tallies()
        self.unseen = Unseen()
        self.measures = Measures()
        self.leaving = Leaving()
        self.unknown_fields: dict[str, int] = {}
        """Of the day that is open: records by the field that the contract does not know."""
        self._dirty = np.zeros(capacity, bool)
        self._stored = np.zeros(capacity, bool)  # which enrolments have a row in the state topic
        self._dirty_rows: dict[bytes, bytes | None] = {}
        self._written_facts: set[str] = set()
        self._sections = Sections()
        self._large = LargeRows()

    # -- enrolments ---------------------------------------------------------------------------------

    def slot(self, learner: str, course_run: str) -> int:
        """The place of an enrolment, made when it is new."""
        key = (learner, course_run)
        found = self.slots.get(key)
        return self._new(key) if found is None else found

    def slots_of(self, keys: Sequence[tuple[str, str]]) -> Ints:
        """The places of enrolments, [n], made when they are new."""
        found = list(map(self.slots.get, keys))
        if None in found:
            found = [self.slot(*key) for key in keys]
        return np.array(found, np.int64)

    def _new(self, key: tuple[str, str]) -> int:
        slot = self._place(key)
        self.rows[slot] = _NEW
        self.rows["hash"][slot] = int(self.pseudonyms[slot][1], 16)
        return slot

    def _place(self, key: tuple[str, str]) -> int:
        if self._free:
            slot = self._free.pop()
        else:
            slot = len(self.keys)
            self.keys.append(None)
            self.pseudonyms.append(("", ""))
            if slot == len(self.rows):
                self._grow()
        enrolment = self._identity.enrolment(*key)
        self.keys[slot] = key
        self.slots[key] = slot
        self.pseudonyms[slot] = (self._identity.learner(key[0]), enrolment)
        self.run_of[slot] = self.run(key[1])
        return slot

    def _grow(self) -> None:
        size = 2 * len(self.rows)
        self.rows = np.concatenate([self.rows, np.zeros(size - len(self.rows), ROW)])
        self.run_of = np.concatenate([self.run_of, np.full(size - len(self.run_of), -1, np.int32)])
        self.trails.grow(size)
        more = np.zeros(size - len(self._dirty), bool)
        self._dirty, self._stored = (np.concatenate([old, more]) for old in (self._dirty, self._stored))

    def drop(self, slots: Ints) -> None:
        """Forget enrolments whose run is over; their rows are deleted at the next checkpoint."""
        for slot in slots.tolist():
            key = self.keys[slot]
            assert key is not None, "only enrolments in use are dropped"  # noqa: S101
            for kind in (_ENROLMENT, _TRAIL, _UNPLACED):
                self._dirty_rows[_enrolment_key(key, kind)] = None
            del self.slots[key]
            self.keys[slot] = None
            self.run_of[slot] = -1
            self._dirty[slot] = self._stored[slot] = False
            self._free.append(slot)
        self.trails.forget(slots)
        self.unplaced.forget(slots.tolist())

    def touch(self, slots: Ints) -> None:
        """Note that enrolments changed."""
        self._dirty[slots] = True

    def used(self) -> Ints:
        """Places of all enrolments."""
        return np.flatnonzero(self.run_of[: len(self.keys)] >= 0)

    def of_run(self, index: int) -> Ints:
        """Places of the enrolments of a run."""
        return np.flatnonzero(self.run_of[: len(self.keys)] == index)

    # -- runs, learners, facts, ids -----------------------------------------------------------------

    def run(self, name: str) -> int:
        """The index of a course run, made with an unknown calendar when it is new."""
        index = self.run_index.get(name)
        if index is None:
            index = self.run_index[name] = len(self.runs)
            self.runs.append(unknown_run(name))
        return index

    def set_calendar(self, message: dict[str, Any]) -> None:
        """Take a run's calendar: a fact, its times in epoch seconds."""
        name = message["course_run"]
        self.runs[self.run(name)] = run_of(message)
        self.calendars[name] = message
        self._dirty_rows[_key(_RUN, name)] = orjson.dumps(message)

    def pseudonym(self, learner: str) -> str:
        """The name under which the store knows a learner."""
        return self._identity.learner(learner)

    def set_learner(self, learner: str, history: dict[str, Any]) -> None:
        """Keep what nudging must know of a learner, across courses."""
        self.learners[learner] = history
        self._dirty_rows[_key(_LEARNER, learner)] = orjson.dumps(history)

    def set_exposures(self, key: tuple[str, str], exposures: list[list[Any]]) -> None:
        """Keep the decisions on an enrolment that are followed; none forgets them."""
        if exposures:
            self.exposures[key] = exposures
        else:
            self.exposures.pop(key, None)
        self._dirty_rows[_key(_EXPOSURES, _joined(key))] = orjson.dumps(exposures) if exposures else None

    def set_policy(self, policy: dict[str, Any] | None) -> None:
        """Keep the nudge policy of the newest day package; None is the worker's default."""
        self.policy = policy
        self._dirty_rows[_POLICY] = None if policy is None else orjson.dumps(policy)

    def post(self, name: str, learner: str, message: str) -> None:
        """Keep a message for notifiers: it leaves only once the decision behind it is safe."""
        self.outbox[name] = [learner, message]
        self._dirty_rows[_key(_OUTBOX, name)] = orjson.dumps([learner, message])

    def posted(self, names: Iterable[str]) -> None:
        """Forget messages that have been sent."""
        for name in names:
            self.outbox.pop(name, None)
            self._dirty_rows[_key(_OUTBOX, name)] = None

    def add_fact(self, fact: dict[str, Any]) -> None:
        """Keep a fact until its day closes."""
        self.facts[fact["event_id"]] = fact

    def take_facts(self, before: int) -> list[dict[str, Any]]:
        """Facts that occurred before a moment, in event time, no longer kept."""
        due = [fact for fact in self.facts.values() if fact["time"] < before]
        due.sort(key=lambda fact: (fact["time"], fact["event_id"]))
        for fact in due:
            del self.facts[fact["event_id"]]
        return due

    # -- checkpoints --------------------------------------------------------------------------------

    def checkpoint(self, epoch: int) -> Iterator[StateRow]:
        """Everything that changed since the last checkpoint, the mark last. Marks it as written.

        epoch: rises with every assignment of the partition, so that rows of a worker that lost it
        can be told.
        """
        yield from self._large.cut(self._changed())
        yield MARK, orjson.dumps(self._mark(epoch))

    def _changed(self) -> Iterator[StateRow]:
        """The rows that changed, of any size."""
        yield from self.ids.changed()
        yield from self._dirty_rows.items()  # deletions first: what was let go may have come back since
        self._dirty_rows = {}
        for slot in np.flatnonzero(self._dirty[: len(self.keys)]).tolist():
            key = self.keys[slot]
            if key is not None:
                self._stored[slot] = True
                yield _enrolment_key(key), self.rows[slot].tobytes()
        self._dirty[:] = False
        for slot, trail in self.trails.stored(np.flatnonzero(self.trails.changed).tolist()):
            key = self.keys[slot]
            if key is not None:
                yield _enrolment_key(key, _TRAIL), orjson.dumps(trail.record())
        self.trails.changed[:] = False
        yield from self._unplaced_rows()
        for gone in self._written_facts - self.facts.keys():
            yield _key(_FACT, gone), None
        for new in self.facts.keys() - self._written_facts:
            yield _key(_FACT, new), orjson.dumps(self.facts[new])
        self._written_facts = set(self.facts)
        yield from self._sections.changed(self._counted())

    def _counted(self) -> dict[str, Any]:
        """What is counted, and what is known of course runs, as JSON: each grows with the runs there are."""
        return {
            "counters": [[*key, *amounts] for key, amounts in self.counters.items()],
            "tallies": self.tallies.stored(),
            "unseen": self.unseen.stored(),
            "measures": self.measures.stored(),
            "leaving": self.leaving.stored(),
        }

    def _unplaced_rows(self) -> Iterator[StateRow]:
        aside = self.unplaced
        for run in sorted(aside.changed_runs):
            names = aside.names(run)
            yield _key(_WORK_NAMES, run), None if names is None else orjson.dumps(names)
        for slot in sorted(aside.changed):
            key = self.keys[slot]
            if key is not None:
                yield _enrolment_key(key, _UNPLACED), aside.stored(slot)
        aside.changed_runs, aside.changed = set(), set()

    def _mark(self, epoch: int) -> dict[str, Any]:
        return {
            "version": VERSION,
            "features": FINGERPRINT,
            "epoch": epoch,
            "unknown_fields": self.unknown_fields,
            "id_rows": self.ids.rows,
            "sections": self._sections.digests,
            "rows": self._row_counts(),
            "clock": {name: getattr(self.clock, name) for name in Clock.__slots__},
        }

    def _row_counts(self) -> dict[str, int]:
        """How many rows the state topic holds of what is never let go while it counts."""
        return {
            "enrolments": int(self._stored.sum()),
            "calendars": len(self.calendars),
            "learners": len(self.learners),
        }

    @classmethod
    def restore(cls, identity: Identity, rows: Iterable[tuple[bytes, bytes]]) -> "PartitionState":
        """The state that a sequence of completed rows describes, one row a key, the mark among them.

        Raises ``StateMismatchError`` where the rows were made by another layout or other features, and
        ``StateIncompleteError`` where the topic has lost some of them.
        """
        stored = dict(rows)
        state = cls(identity)
        if MARK not in stored:
            return state
        mark = orjson.loads(stored.pop(MARK))
        if mark["version"] not in _READ or mark["features"] != FINGERPRINT:
            raise StateMismatchError(
                f"state rows have version {mark['version']} and features {mark['features']}; "
                f"expected {VERSION} and {FINGERPRINT}: replay the events into a fresh state topic"
            )
        try:
            stored = state._large.join(stored)
            state._restore_mark(mark, stored)
        except (IncompleteError, LostRowsError) as error:
            raise StateIncompleteError(_lost(str(error))) from None
        enrolments, trails, unplaced = [], {}, {}
        for key, value in stored.items():
            kind, _, name = key.partition(b"|")
            if kind == _ENROLMENT:
                enrolments.append((name.decode(), value))
            elif kind == _TRAIL:
                trails[_parted(name.decode())] = Trail.of(orjson.loads(value))
            elif kind == _UNPLACED:
                unplaced[_parted(name.decode())] = value
            else:
                state._restore_row(kind, name.decode(), value)
        state._restore_enrolments(enrolments, _READ[mark["version"]])
        state._check_counts(mark.get("rows", {}))  # earlier releases counted none
        for enrolment, trail in trails.items():
            state.trails.put(state.slots[enrolment], trail)
        state.trails.changed[:] = False
        for enrolment, works in unplaced.items():
            state.unplaced.restore(state.slots[enrolment], works)
        state._dirty[:] = mark["version"] != VERSION  # all rows are to be of one version
        return state

    def _check_counts(self, counted: dict[str, int]) -> None:
        found = self._row_counts()
        for what, count in counted.items():
            if found[what] < count:
                raise StateIncompleteError(_lost(f"{found[what]} of {count} {what} are there"))

    def _restore_mark(self, mark: dict[str, Any], stored: dict[bytes, bytes]) -> None:
        """Take the mark, and its sections out of the rows."""
        if mark["version"] == VERSION:
            self._sections = Sections(mark["sections"])
            counted = self._sections.take(stored)
        else:
            counted = mark
        self.ids = EventIds(rows_of(mark))
        self.counters = {(row[0], row[1], row[2], row[3]): row[4:] for row in counted["counters"]}
        self.tallies = Tallies(counted["tallies"])
        self.unseen = Unseen(counted["unseen"])
        self.measures = Measures(counted["measures"])
        self.leaving = Leaving(counted["leaving"])
        self.unknown_fields = mark.get("unknown_fields", {})
        self.clock = Clock(**mark["clock"])

    def _restore_row(self, kind: bytes, name: str, value: bytes) -> None:
        content = orjson.loads(value)
        if kind == _RUN:
            self.runs[self.run(name)] = run_of(content)
            self.calendars[name] = content
        elif kind == _LEARNER:
            self.learners[name] = content
        elif kind == _EXPOSURES:
            self.exposures[_parted(name)] = content
        elif kind == _POLICY:
            self.policy = content
        elif kind == _OUTBOX:
            self.outbox[name] = content
        elif kind == _WORK_NAMES:
            self.unplaced.restore_names(name, content)
        elif kind == _FACT:
            self.facts[name] = content
            self._written_facts.add(name)
        elif kind == _IDS:
            self.ids.restore(int(name), content)

    def _restore_enrolments(self, enrolments: list[tuple[str, bytes]], layout: np.dtype[Any]) -> None:
        for name, value in enrolments:
            if len(value) != layout.itemsize:
                raise StateMismatchError(
                    f"the row of {name[:60]!r} has {len(value)} bytes; expected {layout.itemsize}"
                )
            self._place(_parted(name))
        self._stored[: len(enrolments)] = True
        stored = np.frombuffer(b"".join(value for _, value in enrolments), layout)
        rows = self.rows[: len(enrolments)]
        for name in layout.names or ():
            rows[name] = stored[name]
        if "scored" not in (layout.names or ()):
            coursework.order_scores(rows)


def _lost(what: str) -> str:
    return (
        f"the state topic has lost rows: {what}; was its cleanup.policy other than compact? Restore it, or, "
        "to go on with what the events topic still holds, delete it and run `homeroom topics create`"
    )


def run_of(calendar: dict[str, Any]) -> Run:
    """A run from its calendar message, as stored with plain values.

    Also of one that was stored before dates had a range: whatever they are, there is a run.
    """
    due = sorted(calendar["deadlines"], key=lambda one: (one["due_at"], one["assessment"]))
    later = {one["assessment"]: one for one in due if one["due_at"] < _END_OF_TIME}
    deadlines = sorted(later.values(), key=lambda one: (one["due_at"], one["assessment"]))
    end = calendar["ends_at"]
    total = max(sum(one["weight"] for one in deadlines), 1.0)
    return Run(
        name=calendar["course_run"],
        course=calendar["course"],
        start=min(max(calendar["starts_at"], _BEGIN_OF_TIME), _END_OF_TIME) // DAY_S,
        end=OPEN_END if end is None or end >= _END_OF_TIME else end // DAY_S,
        due=np.array([-(-one["due_at"] // DAY_S) for one in deadlines], np.int64),
        weights=np.array([one["weight"] / total for one in deadlines]),
        assessments=tuple(one["assessment"] for one in deadlines),
    )


def _key(kind: bytes, name: str) -> bytes:
    return kind + b"|" + name.encode()


def _enrolment_key(key: tuple[str, str], kind: bytes = _ENROLMENT) -> bytes:
    return _key(kind, _joined(key))


def _joined(key: tuple[str, str]) -> str:
    """Learner and run as one name. The length tells where the run's ends, whatever characters are in it."""
    return f"{len(key[1])}:{key[1]}{key[0]}"


def _parted(name: str) -> tuple[str, str]:
    length, _, both = name.partition(":")
    return both[int(length) :], both[: int(length)]
