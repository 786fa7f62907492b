"""All state of one partition: a row an enrolment, and the few things that belong to all of them.

An enrolment's row is an element of a structured array (:mod:`engine.state.row_layout`); its index is the
enrolment's *slot*. Everything else of the partition (its clock, calendars, facts waiting for their day,
learners with a nudge history, decisions whose outcome is not known yet, event ids seen) is a JSON row under a
key of its own; a large one is cut into pieces (:mod:`engine.pieces`). What is counted of the open days is a
row a subject, a *section*.

A checkpoint is the rows that changed since the last one, closed by the partition's own row: the
*mark*. Rows after the last mark were never completed and do not count. The mark is small whatever the
partition holds: it says where the partition stands, and which sections belong to it.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np
import orjson
from numpy.typing import NDArray

from engine.pseudonyms import Identity
from engine.state.clock import Clock
from engine.state.cohort_yardsticks import Measures
from engine.state.event_ids import EventIds, rows_of
from engine.state.restoring import StoredState, check_counts, read_rows
from engine.state.row_keys import (
    ATTRIBUTES,
    EXPOSURES,
    FACT,
    IDS,
    LEARNER,
    MARK,
    OUTBOX,
    POLICY,
    RUN,
    WORK_NAMES,
    StateRow,
    enrolment_key,
    enrolment_name,
    parse_enrolment_name,
    row_key,
)
from engine.state.row_layout import NEW_ROW, ROW, VERSION
from engine.state.run_calendar import run_of
from engine.state.source_counts import Tallies
from engine.state.storing import ChangedRows, pop_trails, pop_unplaced
from engine.state.unobserved_days import Unseen
from engine.state.withdrawals import Leaving
from features.catalogue import FINGERPRINT
from features.coursework import Run, unknown_run
from features.gradebook import Gradebook
from features.ring import Ints
from online_models.trails import Trails


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
        self.gradebook = Gradebook()
        self.attributes: dict[int, dict[str, Any]] = {}
        """By slot what a platform said of an enrolment: its section, dates of its own, and the like."""
        self.ids = EventIds()
        self.counters: dict[tuple[str, str, int, int], list[int]] = {}
        self.tallies = Tallies()
        self.unseen = Unseen()
        self.measures = Measures()
        self.leaving = Leaving()
        self.unknown_fields: dict[str, int] = {}
        """Of the day that is open: records by the field that the contract does not know."""
        self.others: dict[tuple[str, str, int], int] = {}
        """Of the days that are open: events of no learner, by course run, role and epoch day."""
        self._changed = ChangedRows(capacity)

    # -- enrolments ---------------------------------------------------------------------------------

    def slot(self, learner: str, course_run: str) -> int:
        """The slot of an enrolment, made when it is new."""
        key = (learner, course_run)
        found = self.slots.get(key)
        return self._new(key) if found is None else found

    def key(self, slot: int) -> tuple[str, str]:
        """Learner and course run of the enrolment in a slot, which must be in use."""
        key = self.keys[slot]
        assert key is not None, "the slot is in use"  # noqa: S101
        return key

    def slots_of(self, keys: Sequence[tuple[str, str]]) -> Ints:
        """The slots of enrolments, [n], made when they are new."""
        found = list(map(self.slots.get, keys))
        if None in found:
            found = [self.slot(*key) for key in keys]
        return np.array(found, np.int64)

    def _new(self, key: tuple[str, str]) -> int:
        slot = self._allocate(key)
        self.rows[slot] = NEW_ROW
        self.rows["hash"][slot] = int(self.pseudonyms[slot][1], 16)
        return slot

    def _allocate(self, key: tuple[str, str]) -> int:
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
        self._changed.grow(size)

    def drop(self, slots: Ints) -> None:
        """Forget enrolments whose run is over; their rows are deleted at the next checkpoint."""
        for slot in slots.tolist():
            key = self.key(slot)
            self._changed.drop(slot, key)
            self.gradebook.forget(int(self.run_of[slot]), slot)
            if self.attributes.pop(slot, None) is not None:
                self._changed.delete(enrolment_key(key, ATTRIBUTES))
            del self.slots[key]
            self.keys[slot] = None
            self.run_of[slot] = -1
            self._free.append(slot)
        self.trails.forget(slots)

    def touch(self, slots: Ints) -> None:
        """Note that enrolments changed."""
        self._changed.touch(slots)

    def used(self) -> Ints:
        """Slots of all enrolments, ascending."""
        return np.flatnonzero(self.run_of[: len(self.keys)] >= 0)

    def of_run(self, index: int) -> Ints:
        """Slots of the enrolments of a run, by its index; ascending."""
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
        """Set a run's calendar: a fact, its times in epoch seconds."""
        name = message["course_run"]
        self.runs[self.run(name)] = run_of(message)
        self.calendars[name] = message
        self._changed.put(row_key(RUN, name), message)

    def pseudonym(self, learner: str) -> str:
        """The name under which the store knows a learner."""
        return self._identity.learner(learner)

    def set_learner(self, learner: str, history: dict[str, Any]) -> None:
        """Keep what nudging must know of a learner, across courses."""
        self.learners[learner] = history
        self._changed.put(row_key(LEARNER, learner), history)

    def set_attributes(self, slot: int, attributes: dict[str, Any]) -> None:
        """Keep what a platform said of an enrolment, as JSON."""
        self.attributes[slot] = attributes
        self._changed.put(enrolment_key(self.key(slot), ATTRIBUTES), attributes)

    def set_exposures(self, key: tuple[str, str], exposures: list[list[Any]]) -> None:
        """Keep the decisions on an enrolment that are followed; none forgets them."""
        row = row_key(EXPOSURES, enrolment_name(key))
        if exposures:
            self.exposures[key] = exposures
            self._changed.put(row, exposures)
        else:
            self.exposures.pop(key, None)
            self._changed.delete(row)

    def set_policy(self, policy: dict[str, Any] | None) -> None:
        """Keep the nudge policy of the newest day package; None is the worker's default."""
        self.policy = policy
        if policy is None:
            self._changed.delete(POLICY)
        else:
            self._changed.put(POLICY, policy)

    def post(self, name: str, learner: str, message: str) -> None:
        """Keep a message for notifiers: it leaves only once the decision behind it is safe."""
        self.outbox[name] = [learner, message]
        self._changed.put(row_key(OUTBOX, name), [learner, message])

    def posted(self, names: Iterable[str]) -> None:
        """Forget messages that have been sent."""
        for name in names:
            self.outbox.pop(name, None)
            self._changed.delete(row_key(OUTBOX, name))

    def add_fact(self, fact: dict[str, Any]) -> None:
        """Keep a fact until its day closes."""
        self.facts[fact["event_id"]] = fact

    def pop_facts_before(self, moment: int) -> list[dict[str, Any]]:
        """Facts that occurred before a moment, epoch seconds, in event time; they are no longer kept."""
        due = [fact for fact in self.facts.values() if fact["time"] < moment]
        due.sort(key=lambda fact: (fact["time"], fact["event_id"]))
        for fact in due:
            del self.facts[fact["event_id"]]
        return due

    # -- checkpoints --------------------------------------------------------------------------------

    def checkpoint(self, epoch: int) -> Iterator[StateRow]:
        """Everything that changed since the last checkpoint, the mark last; it counts as written afterwards.

        epoch: rises with every assignment of the partition, so that rows of a worker that lost it
        can be told.
        """
        yield from self._changed.large.cut(self._changed_rows())
        yield MARK, orjson.dumps(self._mark(epoch))

    def _changed_rows(self) -> Iterator[StateRow]:
        """The rows that changed, of any size."""
        yield from self.ids.changed()
        yield from self._changed.pop_rows()  # deletions first: what was let go may have come back since
        yield from self._changed.pop_enrolments(self.rows, self.keys, self._stored_cells)
        yield from pop_trails(self.trails, self.keys)
        yield from pop_unplaced(self.gradebook.unplaced, self.keys)
        yield from self._changed.pop_facts(self.facts)
        yield from self._changed.sections.changed(self._counted())

    def _stored_cells(self, slot: int) -> bytes:
        return self.gradebook.stored(int(self.run_of[slot]), slot)

    def _counted(self) -> dict[str, Any]:
        """What is counted, and what is known of course runs, as JSON: each grows with the runs there are."""
        return {
            "counters": [[*key, *amounts] for key, amounts in self.counters.items()],
            "tallies": self.tallies.stored(),
            "unseen": self.unseen.stored(),
            "measures": self.measures.stored(),
            "leaving": self.leaving.stored(),
            "others": [[*key, count] for key, count in sorted(self.others.items())],
        }

    def _mark(self, epoch: int) -> dict[str, Any]:
        return {
            "version": VERSION,
            "features": FINGERPRINT,
            "epoch": epoch,
            "unknown_fields": self.unknown_fields,
            "id_rows": self.ids.rows,
            "sections": self._changed.sections.digests,
            "rows": self._row_counts(),
            "clock": {name: getattr(self.clock, name) for name in Clock.__slots__},
        }

    def _row_counts(self) -> dict[str, int]:
        """How many rows the state topic holds of what is never let go while it counts."""
        return {
            "enrolments": self._changed.stored_enrolments,
            "calendars": len(self.calendars),
            "learners": len(self.learners),
        }

    @classmethod
    def restore(cls, identity: Identity, rows: Iterable[tuple[bytes, bytes]]) -> "PartitionState":
        """The state that completed rows describe, one row a key, the mark among them; a new one without.

        Raises:
            StateMismatchError: the rows were made by another layout or other features, or some are lost.
            StateIncompleteError: the topic has lost some of those that the mark counts.
        """
        state, stored = cls(identity), read_rows(rows)
        if stored is None:
            return state
        state._changed.large = stored.large
        state._restore_counts(stored)
        for row in stored.others:
            state._restore_row(*row)
        state._restore_enrolments(stored)
        check_counts(stored.mark, state._row_counts())
        state._restore_parts_of_enrolments(stored)
        return state

    def _restore_counts(self, stored: StoredState) -> None:
        """Set what the mark and the sections hold."""
        mark, counted = stored.mark, stored.counted
        self._changed.sections = stored.sections
        self.ids = EventIds(rows_of(mark))
        self.counters = {(row[0], row[1], row[2], row[3]): row[4:] for row in counted["counters"]}
        self.tallies = Tallies(counted["tallies"])
        self.unseen = Unseen(counted["unseen"])
        self.measures = Measures(counted["measures"])
        self.leaving = Leaving(counted["leaving"])
        self.unknown_fields = mark.get("unknown_fields", {})
        self.others = {(run, role, day): count for run, role, day, count in counted.get("others", [])}
        self.clock = Clock(**mark["clock"])

    def _restore_row(self, kind: bytes, name: str, content: Any) -> None:
        if kind == RUN:
            self.runs[self.run(name)] = run_of(content)
            self.calendars[name] = content
        elif kind == LEARNER:
            self.learners[name] = content
        elif kind == EXPOSURES:
            self.exposures[parse_enrolment_name(name)] = content
        elif kind == POLICY:
            self.policy = content
        elif kind == OUTBOX:
            self.outbox[name] = content
        elif kind == WORK_NAMES:
            self.gradebook.unplaced.restore_names(name, content)
        elif kind == FACT:
            self.facts[name] = content
            self._changed.stored_facts.add(name)
        elif kind == IDS:
            self.ids.restore(int(name), content)

    def _restore_enrolments(self, stored: StoredState) -> None:
        for key in stored.enrolments:
            self._allocate(key)
        self.rows[: len(stored.rows)] = stored.rows
        self._changed.set_restored(len(stored.rows), rewrite=not stored.is_current)  # one version for all

    def _restore_parts_of_enrolments(self, stored: StoredState) -> None:
        for key, trail in stored.trails.items():
            self.trails.put(self.slots[key], trail)
        self.trails.changed[:] = False
        for slot in range(len(stored.rows)):
            index = int(self.run_of[slot])
            cells = stored.cells(slot, self.runs[index])
            if cells is not None:
                self.gradebook.restore(index, slot, cells)
        for key in stored.unplaced:
            self.gradebook.unplaced.restore(self.slots[key], stored.works(key))
        for key, attributes in stored.attributes.items():
            self.attributes[self.slots[key]] = attributes
