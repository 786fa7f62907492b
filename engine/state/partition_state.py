"""All state of one partition: one row per enrolment, and what belongs to the partition as a whole.

An enrolment's row is an element of a structured array (:mod:`engine.state.row_layout`); its index is the
enrolment's *slot*. Everything else (clock, calendars, facts whose day is open, learners with a nudge
history, decisions whose outcome is open, event ids) is a JSON row under a key of its own; large rows are cut
into pieces (:mod:`engine.pieces`). Counts of the open days are one row per subject, a *section*.

A checkpoint is the rows that changed since the last one, completed by the *mark*, a row of the partition
itself. Rows after the last mark are an incomplete checkpoint and are ignored. The mark is small whatever the
partition holds: it has the partition's progress, and the digests of the sections that belong to it.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np
import orjson
from numpy.typing import NDArray

from engine.pseudonyms import Identity
from engine.state.account_merges import AccountMerges
from engine.state.clock import Clock
from engine.state.cohort_yardsticks import CohortYardsticks
from engine.state.event_ids import EventIds, rows_of
from engine.state.restoring import StoredState, check_counts, check_zone, read_rows
from engine.state.row_keys import (
    ATTRIBUTES,
    EARLIER_IDS,
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
from engine.state.run_calendar import run_from_calendar
from engine.state.run_renames import RunRenames
from engine.state.source_counts import SourceCounters
from engine.state.storing import ChangedRows, pop_trails, pop_unplaced
from engine.state.unobserved_days import UnobservedDays
from engine.state.withdrawals import WithdrawalCounts
from features.catalogue import FINGERPRINT
from features.coursework import Run, unknown_run
from features.event_days import EventDays, event_days
from features.gradebook import Gradebook
from features.ring import Ints
from online_models.trails import Trails


class PartitionState:
    """The enrolments of a partition and everything stored with them. Contains no rules."""

    def __init__(self, identity: Identity, capacity: int = 1024, days: EventDays | None = None) -> None:
        self._identity = identity
        self.days = days or event_days()
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
        """Messages for notifiers, name → [learner, JSON], until they have been sent."""
        self.clock = Clock()
        self.trails = Trails(capacity)
        self.gradebook = Gradebook()
        self.attributes: dict[int, dict[str, Any]] = {}
        """Reported attributes of enrolments, by slot: the section, dates of their own, and the like."""
        self.ids = EventIds()
        self.hourly_counters: dict[tuple[str, str, int, int], list[int]] = {}
        self.source_counters = SourceCounters()
        self.unobserved_days = UnobservedDays()
        self.yardsticks = CohortYardsticks()
        self.withdrawal_counts = WithdrawalCounts()
        self.unknown_fields: dict[str, int] = {}
        """Of the open day: field that is not in the contract → number of records."""
        self.others: dict[tuple[str, str, int], int] = {}
        """Of the open days: (course run, role, epoch day) → number of events of no learner."""
        self.merges = AccountMerges()
        self.renames = RunRenames()
        self._changed = ChangedRows(capacity)

    # -- enrolments ---------------------------------------------------------------------------------

    def slot(self, learner: str, course_run: str) -> int:
        """The slot of an enrolment; a new one is created where there is none."""
        key = (learner, course_run)
        slot = self.slots.get(key)
        return self._new(key) if slot is None else slot

    def key(self, slot: int) -> tuple[str, str]:
        """Learner and course run of the enrolment in a slot, which must be in use."""
        key = self.keys[slot]
        assert key is not None, "the slot is in use"  # noqa: S101
        return key

    def slots_of(self, keys: Sequence[tuple[str, str]]) -> Ints:
        """The slots of enrolments, [n]; new ones are created."""
        slots = list(map(self.slots.get, keys))
        if None in slots:
            slots = [self.slot(*key) for key in keys]
        return np.array(slots, np.int64)

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
        self.run_of[slot] = self.index_of_run(key[1])
        return slot

    def _grow(self) -> None:
        size = 2 * len(self.rows)
        self.rows = np.concatenate([self.rows, np.zeros(size - len(self.rows), ROW)])
        self.run_of = np.concatenate([self.run_of, np.full(size - len(self.run_of), -1, np.int32)])
        self.trails.grow(size)
        self._changed.grow(size)

    def drop(self, slots: Ints) -> None:
        """Remove enrolments whose run is over; their rows are deleted at the next checkpoint."""
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

    def mark_changed(self, slots: Ints) -> None:
        """Write the rows of enrolments at the next checkpoint."""
        self._changed.mark_changed(slots)

    def used_slots(self) -> Ints:
        """Slots of all enrolments, ascending."""
        return np.flatnonzero(self.run_of[: len(self.keys)] >= 0)

    def slots_of_run(self, index: int) -> Ints:
        """Slots of the enrolments of a run, by its index; ascending."""
        return np.flatnonzero(self.run_of[: len(self.keys)] == index)

    # -- runs, learners, facts, ids -----------------------------------------------------------------

    def index_of_run(self, name: str) -> int:
        """The index of a course run; a new one is created, without a calendar."""
        index = self.run_index.get(name)
        if index is None:
            index = self.run_index[name] = len(self.runs)
            self.runs.append(unknown_run(name))
        return index

    def set_calendar(self, message: dict[str, Any]) -> None:
        """Set a run's calendar. message: a calendar fact, with times in epoch seconds."""
        name = message["course_run"]
        self.runs[self.index_of_run(name)] = run_from_calendar(message, self.days)
        self.calendars[name] = message
        self._changed.put(row_key(RUN, name), message)

    def pseudonym(self, learner: str) -> str:
        """The learner's pseudonym, as in the store."""
        return self._identity.learner(learner)

    def set_learner(self, learner: str, history: dict[str, Any]) -> None:
        """Store a learner's nudge history, across courses (:class:`nudges.learners.Learner`)."""
        self.learners[learner] = history
        self._changed.put(row_key(LEARNER, learner), history)

    def forget_learner(self, learner: str) -> dict[str, Any]:
        """Remove a learner's nudge history, and return it; empty without one."""
        self._changed.delete(row_key(LEARNER, learner))
        return self.learners.pop(learner, {})

    def slots_of_learner(self, learner: str) -> list[int]:
        """Slots of a learner's enrolments, by the run's name. Takes a look-up for each run."""
        runs = sorted(run for run in self.run_index if (learner, run) in self.slots)
        return [self.slots[learner, run] for run in runs]

    def set_attributes(self, slot: int, attributes: dict[str, Any]) -> None:
        """Store the reported attributes of an enrolment, as JSON."""
        self.attributes[slot] = attributes
        self._changed.put(enrolment_key(self.key(slot), ATTRIBUTES), attributes)

    def set_exposures(self, key: tuple[str, str], exposures: list[list[Any]]) -> None:
        """Store the exposures of an enrolment whose outcomes are open; an empty list deletes them."""
        row = row_key(EXPOSURES, enrolment_name(key))
        if exposures:
            self.exposures[key] = exposures
            self._changed.put(row, exposures)
        else:
            self.exposures.pop(key, None)
            self._changed.delete(row)

    def set_policy(self, policy: dict[str, Any] | None) -> None:
        """Store the nudge policy of the newest day package; None is the worker's default."""
        self.policy = policy
        if policy is None:
            self._changed.delete(POLICY)
        else:
            self._changed.put(POLICY, policy)

    def add_to_outbox(self, name: str, learner: str, message: str) -> None:
        """Store a message for notifiers, to be sent once the checkpoint with its decision is written."""
        self.outbox[name] = [learner, message]
        self._changed.put(row_key(OUTBOX, name), [learner, message])

    def remove_from_outbox(self, names: Iterable[str]) -> None:
        """Remove messages that have been sent."""
        for name in names:
            self.outbox.pop(name, None)
            self._changed.delete(row_key(OUTBOX, name))

    def add_fact(self, fact: dict[str, Any]) -> None:
        """Store a fact until its day closes."""
        self.facts[fact["event_id"]] = fact

    def pop_facts_before(self, moment: int) -> list[dict[str, Any]]:
        """Remove and return the facts that occurred before a moment, epoch seconds, in event time."""
        due = [fact for fact in self.facts.values() if fact["time"] < moment]
        due.sort(key=lambda fact: (fact["time"], fact["event_id"]))
        for fact in due:
            del self.facts[fact["event_id"]]
        return due

    # -- checkpoints --------------------------------------------------------------------------------

    def checkpoint(self, epoch: int) -> Iterator[StateRow]:
        """The rows that changed since the last checkpoint, the mark last; they count as written afterwards.

        epoch: rises with every assignment of the partition, so that rows of a worker that has lost the
        partition can be recognised (fencing).
        """
        yield from self._changed.large.cut(self._changed_rows())
        yield MARK, orjson.dumps(self._mark(epoch))

    def _changed_rows(self) -> Iterator[StateRow]:
        """The rows that changed, not yet cut into pieces."""
        yield from self.ids.pop_changed_rows()
        yield from self._changed.pop_rows()  # deletions first: what was removed may have come back since
        yield from self._changed.pop_enrolments(self.rows, self.keys, self._stored_cells)
        yield from pop_trails(self.trails, self.keys)
        yield from pop_unplaced(self.gradebook.unplaced, self.keys)
        yield from self._changed.pop_facts(self.facts)
        yield from self._changed.sections.pop_changed(self._counted())

    def _stored_cells(self, slot: int) -> bytes:
        return self.gradebook.dump(int(self.run_of[slot]), slot)

    def _counted(self) -> dict[str, Any]:
        """The contents of the sections, by name, as JSON: each grows with the number of course runs.

        Merges and new names are seldom, and have a section only where there was one.
        """
        names = {"accounts": self.merges.as_json(), "renames": self.renames.as_json()}
        written = self._changed.sections.digests
        return {name: content for name, content in names.items() if content or name in written} | {
            "counters": [[*key, *amounts] for key, amounts in self.hourly_counters.items()],
            "tallies": self.source_counters.as_json(),
            "unseen": self.unobserved_days.as_json(),
            "measures": self.yardsticks.as_json(),
            "leaving": self.withdrawal_counts.as_json(),
            "others": [[*key, count] for key, count in sorted(self.others.items())],
        }

    def _mark(self, epoch: int) -> dict[str, Any]:
        return {
            "version": VERSION,
            "features": FINGERPRINT,
            "zone": self.days.zone,
            "epoch": epoch,
            "unknown_fields": self.unknown_fields,
            "id_rows": self.ids.rows,
            "sections": self._changed.sections.digests,
            "rows": self._row_counts(),
            "clock": {name: getattr(self.clock, name) for name in Clock.__slots__},
        }

    def _row_counts(self) -> dict[str, int]:
        """Number of rows in the state topic, of kinds whose loss a restore must detect."""
        return {
            "enrolments": self._changed.stored_enrolments,
            "calendars": len(self.calendars),
            "learners": len(self.learners),
        }

    @classmethod
    def restore(
        cls, identity: Identity, rows: Iterable[tuple[bytes, bytes]], days: EventDays | None = None
    ) -> "PartitionState":
        """Restore from the rows of a completed checkpoint, one per key; a new state where there is no mark.

        Raises:
            StateMismatchError: the rows have another layout or other features.
            StateIncompleteError: the topic has lost rows that the mark counts.
        """
        state, stored = cls(identity, days=days), read_rows(rows)
        if stored is None:
            return state
        check_zone(stored.mark, state.days.zone)
        state._changed.large = stored.large
        state._restore_counts(stored)
        for row in stored.others:
            state._restore_row(*row)
        state._restore_enrolments(stored)
        check_counts(stored.mark, state._row_counts())
        state._restore_parts_of_enrolments(stored)
        return state

    def _restore_counts(self, stored: StoredState) -> None:
        """Restore the contents of the mark and the sections."""
        mark, counted = stored.mark, stored.counted
        self._changed.sections = stored.sections
        self.ids = EventIds(rows_of(mark))
        self.hourly_counters = {(row[0], row[1], row[2], row[3]): row[4:] for row in counted["counters"]}
        self.source_counters = SourceCounters(counted["tallies"])
        self.unobserved_days = UnobservedDays(counted["unseen"])
        self.yardsticks = CohortYardsticks(counted["measures"])
        self.withdrawal_counts = WithdrawalCounts(counted["leaving"])
        self.unknown_fields = mark.get("unknown_fields", {})
        self.others = {(run, role, day): count for run, role, day, count in counted.get("others", [])}
        self.merges = AccountMerges(counted.get("accounts"))
        self.renames = RunRenames(counted.get("renames"))
        self.clock = Clock(**mark["clock"])

    def _restore_row(self, kind: bytes, name: str, content: Any) -> None:
        if kind == RUN:
            self.runs[self.index_of_run(name)] = run_from_calendar(content, self.days)
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
        elif kind == EARLIER_IDS:
            self.ids.earlier.restore(int(name), content)

    def _restore_enrolments(self, stored: StoredState) -> None:
        for key in stored.enrolments:
            self._allocate(key)
        self.rows[: len(stored.rows)] = stored.rows
        self._changed.set_restored(len(stored.rows), rewrite=not stored.is_current)  # one version for all

    def _restore_parts_of_enrolments(self, stored: StoredState) -> None:
        for key, trail in stored.trails.items():
            self.trails.restore(self.slots[key], trail)
        self.trails.changed[:] = False
        for slot in range(len(stored.rows)):
            index = int(self.run_of[slot])
            cells = stored.cells(slot, self.runs[index])
            if cells is not None:
                self.gradebook.restore(index, slot, cells)
        for key in stored.unplaced:
            self.gradebook.unplaced.restore(self.slots[key], stored.works(key))
            if not stored.is_current:
                self.gradebook.unplaced.changed.add(self.slots[key])
        for key, attributes in stored.attributes.items():
            self.attributes[self.slots[key]] = attributes
