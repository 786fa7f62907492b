"""One partition's processor: everything between the events of a partition and what follows from them.

Pure: it knows neither Kafka nor the store nor the wall clock, so the worker, a backtest, a benchmark
and a test all run this object. Its contract:

``apply(batch)``
    Takes a batch in and applies it up to the record at which the watermark passes the end of a day.
    Never blocks, raises nothing for bad input (that becomes dead letters). What lies behind the
    record waits inside.
``due``
    The day to close, or None. Nothing behind its end is applied before it is closed.
``close()``
    Ends the day: facts are applied in event time, features taken, examples matured. Returns the
    day's report, in parts. The next day opens at once, so that its events can be applied while the
    package is waited for; it cannot be due before ``advance``.
``closing``
    The closed day whose package is waited for, or None. Its report stays in ``report``.
``advance(package)``
    Scores the day after the closed one with its package, from the features taken at the close.
``checkpoint(epoch)``
    The state rows that changed, the mark last, for the state topic. Valid at any moment except
    between ``close`` and ``advance``; everything said before it must be safe before they are written.
``applied(topic)``
    The offset up to which a checkpoint now would vouch. Batches up to it may be acked after one.
``vouched(topic)``, ``begin(topic, start, at)``
    Before the first batch: what the restored state vouches for, and where the log lets it go on.
"""

import logging
from bisect import bisect_left
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from data_quality.companions import counted
from engine import last_resort
from engine.batch.activities import Activities, Activity
from engine.batch.admission import Intake, Work
from engine.batch.decoding import Message, Refusal, decode_feedback, letter
from engine.batch.records import RecordBatch
from engine.batch.unknown_fields import bounded
from engine.batch.unknown_fields import rows as rows_of_unknown
from engine.continuity import Start, Vouched
from engine.day.aggregates import as_date, at_close
from engine.day.item_transitions import Steps
from engine.day.label_maturation import Maturing
from engine.day.nudge_outcomes import Following, Known
from engine.log_breaks import told
from engine.outputs import Columns, Outputs
from engine.pseudonyms import Identity
from engine.rules import Rules
from engine.scoring.scorer import Cohort, Scored, Scoring, Today, engagement
from engine.state.partition_state import PartitionState, StateRow
from engine.state.source_counts import Hits
from features.bins import histogram
from features.catalogue import FINGERPRINT
from features.compute import features
from features.coursework import SCORE_STEPS, Run, rearrange, submit
from features.doubt import doubt
from features.packed_arrays import pack
from features.ring import CLOSED, NEVER, RING, Ints, count, turn, usual_hours
from features.yardsticks import count as count_deadlines
from online_models.labels import OPEN, WITHDRAWN, outcome_of
from online_models.recommender import Transitions, by_run
from schemas.activity import ACTIVITY_KINDS
from schemas.dead_letter import DeadLetter
from schemas.enrolment import Completed
from schemas.fields import DAY_S, is_never
from schemas.learning import DayPackage, DayReport, TrainingExample
from schemas.topics import EVENTS

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Closed:
    """A day that has ended, with all that its scoring needs: what happens meanwhile cannot change it."""

    day: int
    cohorts: list[Cohort]
    report: list[DayReport]
    outcomes: Columns
    counts: Outputs


class PartitionProcessor:
    """See the module's text."""

    def __init__(self, partition: int, rules: Rules, state: PartitionState) -> None:
        self.partition = partition
        self.rules = rules
        self.state = state
        self._intake = Intake(rules.timing, state.clock.newest, state.clock.ticked, state.clock.doubted)
        self._work: deque[Work] = deque()
        self._closed: Closed | None = None
        self.scored: list[Scored] = []
        """The estimates of the last ``advance``, for those who judge them."""
        self._following = Following(partition, state, delivered=rules.nudges_delivered)
        self._scoring = Scoring(partition, rules, state, self._following)
        self._maturing = Maturing(state, self._following)
        self._steps = Steps(state)

    # -- the contract -------------------------------------------------------------------------------

    @property
    def due(self) -> int | None:
        """The day that must be closed before anything behind its end is applied."""
        clock = self.state.clock
        if self._closed is not None or not self._blocked:
            return None
        return clock.today

    @property
    def _blocked(self) -> bool:
        """Whether the watermark, or the next record's, has passed the end of today."""
        clock = self.state.clock
        if clock.today is None:
            return False
        newest = clock.newest
        if self._work and not self._work[0].done:
            work = self._work[0]
            newest = max(newest, int(work.newest[work.position]))
        return self._day(newest) > clock.today

    @property
    def closing(self) -> int | None:
        """The closed day whose package is waited for."""
        return None if self._closed is None else self._closed.day

    @property
    def report(self) -> list[DayReport]:
        """The report of the day that is closing, in parts."""
        return [] if self._closed is None else self._closed.report

    def applied(self, topic: str) -> int:
        """The last offset of an inbound topic whose effect is in the state; −1 before any."""
        return self.state.clock.applied.get(topic, -1)

    def vouched(self, topic: str) -> Vouched:
        """What is applied of a topic, and in which incarnation of it."""
        return Vouched(self.applied(topic), self.state.clock.topics.get(topic, ""))

    def begin(self, topic: str, start: Start, at: int) -> Outputs:
        """Go on where the topic's log lets it; what is missing before is counted and told.

        at: the wall clock, epoch seconds. A batch of the topic has not been applied yet.
        """
        clock = self.state.clock
        clock.applied[topic] = start.position - 1
        clock.topics[topic] = start.topic_id
        if start.broken is None:
            return Outputs()
        clock.lost += start.broken.records
        return told(topic, self.partition, start, at)

    @property
    def waiting(self) -> int:
        """Records taken in and not yet applied."""
        return sum(len(work.messages) - work.position for work in self._work)

    @property
    def watermark(self) -> int | None:
        """Epoch seconds: nothing older is expected; None before the first event."""
        newest = self.state.clock.newest
        return None if newest == NEVER else newest - self.rules.timing.lateness

    def apply(self, batch: RecordBatch) -> Outputs:
        """Take a batch of the events topic in, and apply it up to the next day's close."""
        after = max([self.applied(batch.topic), *(work.batch.last_offset for work in self._work)])
        if batch.last_offset > after:
            self._intake, work = last_resort.admit(self._intake, batch, after)
            self._work.append(work)
        outputs = Outputs()
        self._go_on(outputs)
        return outputs

    def apply_feedback(self, batch: RecordBatch) -> Outputs:
        """Apply a batch of the feedback topic: what learners want, and what others sent them."""
        outputs = Outputs()
        decoded = decode_feedback(batch)
        after, letters = self.applied(batch.topic), decoded.letters
        for place, message in zip(decoded.places, decoded.messages, strict=True):
            why = self._intake.early(batch, place, message)
            if why is not None:
                letters.append(letter(batch, place, why))
            elif batch.offsets[place] > after:
                self._note_unknown(decoded.unknown.get(place, ()), outputs)
                try:
                    self._hear(message, outputs)
                except Exception as error:
                    letters.append(letter(batch, place, last_resort.refusal(error)))
        outputs.dead_letters += sorted(
            (one for one in letters if one.offset > after), key=lambda one: one.offset
        )
        self.state.clock.applied[batch.topic] = max(after, batch.last_offset)
        return outputs

    def _hear(self, message: Message, outputs: Outputs) -> None:
        found = Outputs()
        with last_resort.undone(self.state, message["learner"]):
            self._scoring.hear(message, found)
        outputs.extend(found)

    def observe(self, now: int) -> None:
        """Live and idle: the wall clock stands in for the events that do not come."""
        clock = self.state.clock
        if self._work or now <= clock.newest:
            return
        clock.newest = self._intake.newest = now
        if clock.today is None:
            clock.today = self._day(now)

    def close(self) -> list[DayReport]:
        """End the day that is due. Raises ``RuntimeError`` where none is."""
        today = self.due
        if today is None:
            raise RuntimeError("no day is due")
        state = self.state
        state.touch(turn(state.rows, state.used(), today + 1))
        ended, failed = self._apply_facts((today + 1) * DAY_S)
        cohorts = self._take_cohorts(today + 1)
        transitions = self._steps.close(today)
        counts = at_close(state, self.partition, today, ended)
        counts.dead_letters += failed
        if state.unknown_fields:
            counted_names, state.unknown_fields = state.unknown_fields, {}
            found = rows_of_unknown(counted_names, as_date(today), self.partition, today)
            counts.add_rows("unknown_fields", found)
        examples = self._maturing.take(today)  # asks who was nudged, before anybody is let go
        known = self._following.close(today)
        report = self._make_report(today, cohorts, examples, known, transitions)
        self._closed = Closed(today, cohorts, report, known.rows, counts)
        state.clock.today = today + 1
        state.ids.turn()
        return report

    def advance(self, package: DayPackage, *, stale: bool = False) -> Outputs:
        """Score the day after the closed one, and go on. ``stale``: the package is an older day's."""
        closed, self._closed = self._closed, None
        if closed is None:
            raise RuntimeError("close the day before advancing")
        outputs = Outputs()
        self.state.unseen.note(package)
        self.state.measures.note(package)
        if closed.outcomes:
            outputs.add_rows("nudge_outcomes", closed.outcomes)
        self.scored = self._scoring.score(
            closed.cohorts, Today.of(closed.day + 1, package, stale=stale), outputs
        )
        outputs.extend(closed.counts)
        self._go_on(outputs)
        return outputs

    def checkpoint(self, epoch: int) -> Iterator[StateRow]:
        """Everything that changed since the last checkpoint. Raises ``RuntimeError`` mid-close."""
        if self._closed is not None:
            raise RuntimeError("a day is being closed: advance first")
        return self.state.checkpoint(epoch)

    # -- applying events ----------------------------------------------------------------------------

    def _day(self, newest: int) -> int:
        """The day in which the watermark lies."""
        return (newest - self.rules.timing.lateness) // DAY_S

    def _go_on(self, outputs: Outputs) -> None:
        clock = self.state.clock
        while self._work and not self._blocked:
            work = self._work[0]
            if clock.today is None and (begins := work.begins()) is not None:
                clock.today = self._day(begins)
            stop = len(work.messages)
            if clock.today is not None:
                stop = work.until((clock.today + 1) * DAY_S + self.rules.timing.lateness)
            self._apply_segment(work, stop, outputs)
            if work.done:
                self._work.popleft()
        self._cut_counters(outputs)

    def _apply_segment(self, work: Work, stop: int, outputs: Outputs) -> None:
        """Apply messages up to position ``stop``; all of them belong before the next close."""
        clock = self.state.clock
        start = work.position
        if stop > start:
            self._apply_messages(work, start, stop, outputs)
            for offset in map(work.offset, range(start, stop) if work.unknown else ()):
                self._note_unknown(work.unknown.get(offset, ()), outputs)
            clock.newest = max(clock.newest, int(work.newest[stop - 1]))
            clock.ticked, clock.doubted = int(work.ticked[stop - 1]), int(work.doubted[stop - 1])
        work.position = stop
        clock.applied[work.batch.topic] = work.batch.last_offset if work.done else work.offset(stop) - 1
        letters = work.take_letters()
        for one in letters:
            if one.offset in work.letter_days:
                self.state.tallies.refuse(one, work.letter_days[one.offset])
        clock.dead_letters += len(letters)
        outputs.dead_letters += letters

    def _note_unknown(self, names: Sequence[str], outputs: Outputs) -> None:
        bounded(self.state.unknown_fields, names)
        bounded(outputs.unknown_fields, names)

    def _apply_messages(self, work: Work, start: int, stop: int, outputs: Outputs) -> None:
        state, clock = self.state, self.state.clock
        own = work.activities.between(start, stop)
        others = work.others[bisect_left(work.others, start) : bisect_left(work.others, stop)]
        repeats = self._note_ids(work, own, others)
        for position in others:
            message = cast(Message, work.messages[position])
            if position in repeats:
                continue
            if message["type"] != "tick":
                state.add_fact(_fact(message, int(work.times[position]), work.offset(position)))
            clock.events += 1
        if repeats:
            own = own.but(repeats)
        oldest = (clock.today or 0) * DAY_S - CLOSED * DAY_S
        late = own.positions[own.times < oldest].tolist()
        if late:
            own = own.but(late)
            clock.dead_letters += len(late)
            outputs.dead_letters += [
                letter(work.batch, work.places[position], _too_late(cast(Activity, work.messages[position])))
                for position in late
            ]
        clock.events += len(own.ids)
        if own.ids:
            self._count_activities(work, own)

    def _note_ids(self, work: Work, own: Activities, others: Sequence[int]) -> list[int]:
        """Note the event ids of a segment's messages; the positions of those that are repeats."""
        state, clock = self.state, self.state.clock
        messages = {position: cast(Message, work.messages[position]) for position in others}
        told = {at: one["event_id"] for at, one in messages.items() if one["type"] != "tick"}
        if state.ids.all_first([*own.ids, *told.values()]):
            return []
        told.update(zip(own.positions.tolist(), own.ids, strict=True))
        repeats = [position for position in sorted(told) if not state.ids.first_time(told[position])]
        clock.duplicates += len(repeats)
        for position in repeats:
            message = work.messages[position]
            if type(message) is Activity:
                state.tallies.repeat(message.source, message.course_run, int(work.times[position]))
        return repeats

    def _count_activities(self, work: Work, own: Activities) -> None:
        """Count activities that are counted for the first time."""
        state = self.state
        slots, at, times = state.slots_of(own.enrolments), own.positions, own.times
        for position in at[own.works].tolist():
            fact = _fact_of(
                cast(Activity, work.messages[position]), int(work.times[position]), work.offset(position)
            )
            state.add_fact(fact)
        self._steps.take(slots, times, own.items)
        count(state.rows, slots, times, own.kinds, own.clicks, own.seconds)
        days = (times // DAY_S).astype(np.int32)
        seen = state.rows["seen"]
        seen[slots] = np.where(seen[slots] == NEVER, days, seen[slots])
        np.minimum.at(seen, slots, days)
        state.touch(slots)
        self._count_hours(slots, times, work.newest[at], own.kinds, own.clicks, own.seconds)
        hits = Hits(
            sources=own.sources,
            runs=state.run_of[slots],
            times=times,
            kinds=own.kinds,
            clock=work.clock[at],
            bare=np.array([item is None for item in own.items]),
            untimed=own.untimed,
        )
        state.tallies.add(hits, [run.name for run in state.runs])

    def _count_hours(
        self, slots: Ints, times: Ints, newest: Ints, kinds: Ints, clicks: Ints, seconds: Ints
    ) -> None:
        """Activity by run, kind and hour, kept apart by the watermark's hour at which it was counted.

        What was counted in an hour of the watermark is said once, when that hour is over: the same
        rows with the same keys in every replay, and a sum over them counts late events too.
        """
        state = self.state
        hours, ticks = times // 3600, (newest - self.rules.timing.lateness) // 3600
        runs, first = len(state.runs), min(int(hours.min()), int(ticks.min()))
        span = max(int(hours.max()), int(ticks.max())) - first + 1
        cells = ((ticks - first) * span + hours - first) * len(ACTIVITY_KINDS) + kinds
        unique, inverse = np.unique(cells * runs + state.run_of[slots], return_inverse=True)
        totals = [np.bincount(inverse), np.bincount(inverse, clicks), np.bincount(inverse, seconds)]
        for cell, *amounts in zip(unique.tolist(), *(total.tolist() for total in totals), strict=True):
            rest, run = divmod(cell, runs)
            rest, kind = divmod(rest, len(ACTIVITY_KINDS))
            tick, hour = divmod(rest, span)
            key = (state.runs[run].name, ACTIVITY_KINDS[kind], hour + first, tick + first)
            counted = state.counters.setdefault(key, [0, 0, 0])
            for place, amount in enumerate(amounts):
                counted[place] += int(amount)

    def _cut_counters(self, outputs: Outputs) -> None:
        """Say the counts of the watermark's hours that are over."""
        state = self.state
        now = (state.clock.newest - self.rules.timing.lateness) // 3600
        over = sorted(key for key in state.counters if key[3] < now)
        if not over:
            return
        amounts = [state.counters.pop(key) for key in over]
        runs, kinds, hours, ticks = zip(*over, strict=True)
        events, clicks, seconds = zip(*amounts, strict=True)
        columns = {
            "course_run": runs,
            "kind": kinds,
            "hour": [hour * 3600 for hour in hours],
            "partition": [self.partition] * len(over),
            "tick": [tick * 3600 for tick in ticks],
            "events": events,
            "clicks": clicks,
            "seconds": seconds,
            "version": ticks,
        }
        outputs.add_rows("activity_hourly", columns)

    # -- closing a day ------------------------------------------------------------------------------

    def _apply_facts(self, before: int) -> tuple[list[int], list[DeadLetter]]:
        """Apply what has an order, in event time: registrations, hand-ins, calendars, results.

        Returns the places of the enrolments that ended, and letters for the facts that could not be applied.
        """
        state = self.state
        ended: list[int] = []
        letters: list[DeadLetter] = []
        for fact in state.take_facts(before):
            try:
                if fact["type"] == "calendar":
                    self._take_calendar(fact)
                elif (slot := self._apply_to_enrolment(fact)) is not None:
                    ended.append(slot)
            except Exception as error:
                log.exception("partition %d: a fact could not be applied", self.partition)
                topic = next(name for name in state.clock.applied if name.endswith(EVENTS.name))
                letters.append(last_resort.letter_of_fact(topic, self.partition, fact, error))
        state.clock.events -= len(letters)  # they were counted as applied when they came
        state.clock.dead_letters += len(letters)
        return ended, letters

    def _apply_to_enrolment(self, fact: Message) -> int | None:
        """Apply a fact; the place of the enrolment where it has ended by it."""
        state = self.state
        slot = state.slot(fact["learner"], fact["course_run"])
        state.touch(np.array([slot]))
        with last_resort.undone(state, fact["learner"], slot):
            if fact["type"] == "activity":
                self._apply_work(slot, fact)
            elif self._apply_fact(slot, fact, fact["time"] // DAY_S):
                return slot
        return None

    def _take_calendar(self, calendar: Message) -> None:
        """Take a run's calendar where it is newer than the one there is; hand-ins stay with their work."""
        state, name = self.state, calendar["course_run"]
        if name in state.calendars and _age(calendar) < _age(state.calendars[name]):
            return
        index = state.run(name)
        old, slots = state.runs[index], state.of_run(index)
        self._try_out(calendar)
        state.set_calendar(calendar)
        new = state.runs[index]
        rearrange(state.rows, slots, old, new, state.unplaced)
        state.touch(slots)
        if new.assessments != old.assessments:
            state.measures.forget(name)  # they are sums of other work

    def _try_out(self, calendar: Message) -> None:
        """Close a day of an enrolment of nobody under a calendar; raises what that raises.

        A calendar concerns everybody in its run, at every close from now on: it is too late then.
        """
        nobody, today = PartitionState(Identity(b""), capacity=1), self.state.clock.today or 0
        nobody.set_calendar(calendar)
        for enrolled in (today - 1, max(calendar["starts_at"] // DAY_S, 0)):
            slot = nobody.slot("", calendar["course_run"])
            nobody.rows["enrolled"][slot] = enrolled
            for day in (today, enrolled + 1):
                nobody.clock.today, nobody.clock.newest = day, (day + RING) * DAY_S
                PartitionProcessor(self.partition, self.rules, nobody).close()

    def _apply_fact(self, slot: int, fact: Message, day: int) -> bool:
        """Apply a registration, a withdrawal or a result; whether the enrolment has ended by it."""
        rows = self.state.rows
        if fact["type"] == "enrolled":
            first = rows["enrolled"][slot]
            rows["enrolled"][slot] = day if first == NEVER else min(day, first)
        elif rows["outcome"][slot] != OPEN:
            return False
        else:
            withdrawn = fact["type"] == "withdrawn"
            rows["outcome"][slot] = WITHDRAWN if withdrawn else outcome_of(cast(Completed, fact))
            rows["outcome_day"][slot] = day
            if withdrawn and rows["probability"][slot]:
                self.state.leaving.withdrawn(self.state.runs[self.state.run_of[slot]].name)
        self._scoring.take(fact)
        return bool(rows["outcome"][slot] != OPEN)

    def _apply_work(self, slot: int, fact: Message) -> None:
        """Apply a hand-in or progress told."""
        state, rows = self.state, self.state.rows
        if fact["kind"] == "submission" and fact.get("object"):
            run = state.runs[state.run_of[slot]]
            submit(rows, slot, run, fact["object"], fact["time"] // DAY_S, fact.get("score"), state.unplaced)
        if fact.get("progress") is not None:
            rows["progress"][slot] = max(rows["progress"][slot], round(fact["progress"] * SCORE_STEPS))

    def _take_cohorts(self, day: int) -> list[Cohort]:
        """Features of every enrolment in force, as of the start of ``day``, run by run."""
        state = self.state
        cohorts = []
        for index in sorted(range(len(state.runs)), key=lambda index: state.runs[index].name):
            run = state.runs[index]
            slots = state.of_run(index)
            slots = slots[self._in_force(run, slots, day)]
            if len(slots):
                unseen, measure = state.unseen.of(run.name), state.measures.of(run)
                codes = features(state.rows, slots, run, day, unseen, measure)
                told = engagement(state, index, slots, codes, day - 1)
                did = count_deadlines(state.rows, slots, run, codes)
                either = doubt(state.rows, slots, run, day, unseen, measure)
                cohorts.append(Cohort(run, slots, codes, told, state.rows["hours"][slots], did, either))
        return cohorts

    def _in_force(self, run: Run, slots: Ints, day: int) -> NDArray[np.bool_]:
        """Which enrolments to score: begun before ``day``, not ended, in a run that is on."""
        rows = self.state.rows
        if run.known and not run.start < day <= run.end:
            return np.zeros(len(slots), bool)
        enrolled, seen = rows["enrolled"][slots], rows["seen"][slots]
        begun = ((enrolled != NEVER) & (enrolled < day)) | ((seen != NEVER) & (seen < day))
        in_force: NDArray[np.bool_] = begun & (rows["outcome"][slots] == OPEN)
        return in_force

    def _make_report(
        self,
        today: int,
        cohorts: list[Cohort],
        examples: list[TrainingExample],
        known: Known,
        transitions: Transitions,
    ) -> list[DayReport]:
        """The day's report, as one; the transport cuts what is too large (:mod:`engine.pieces`).

        Examples are in an order of their own: after a crash a restored state holds them in another one, and
        a report said before it must be the same as the one said after it.
        """
        examples = sorted(examples, key=lambda one: (one.course_run, one.enrolment, one.day))
        return [
            DayReport.model_construct(  # of our own making; the trainer checks what it is given
                partition=self.partition,
                day=today,
                part=0,
                parts=1,
                features=FINGERPRINT,
                examples=examples,
                **self._of_the_day(today, cohorts, known, transitions),
            )
        ]

    def _of_the_day(
        self, today: int, cohorts: list[Cohort], known: Known, transitions: Transitions
    ) -> dict[str, Any]:
        """What a report says once, by its fields."""
        choices, early = (
            {name: pack(sums.astype(np.int32)) for name, sums in sorted(found.items())}
            for found in (known.learned, known.early)
        )
        clicks, place = self.state.rows["clicks"], today % RING
        return {
            "cohorts": {one.run.name: pack(histogram(one.codes)) for one in cohorts},
            "deadlines": {one.run.name: pack(one.deadlines) for one in cohorts if one.deadlines.size},
            "leaving": {run: pack(counts) for run, counts in self.state.leaving.take().items()},
            "sources": self.state.tallies.take(today),
            "together": {one.run.name: pack(counted(clicks[one.slots, place])) for one in cohorts},
            "choices": choices,
            "early": early,
            "hours": {one.run.name: pack(usual_hours(one.hours, today + 1)) for one in cohorts},
            "transitions": by_run(transitions),
        }


def _fact(message: Message, time: int, offset: int) -> Message:
    """A message as a fact to be kept: times as epoch seconds, so that it can be stored as JSON."""
    fact = {
        name: value for name, value in message.items() if name not in ("occurred_at", "source", "version")
    }
    fact |= {"time": time, "offset": offset}
    if message["type"] == "calendar":
        fact["starts_at"] = int(message["starts_at"].timestamp())
        ends = message.get("ends_at")
        fact["ends_at"] = None if ends is None or is_never(ends) else int(ends.timestamp())
        fact["deadlines"] = [
            one | {"due_at": int(one["due_at"].timestamp())}
            for one in message["deadlines"]
            if not is_never(one["due_at"])
        ]
    return fact


def _age(calendar: Message) -> tuple[int, str]:
    """Of two calendars of a run the greater one is the newer, in whatever order they come."""
    return calendar["time"], calendar["event_id"]


def _fact_of(activity: Activity, time: int, offset: int) -> Message:
    """Of an activity what the close of its day needs."""
    fact: Message = {"type": "activity", "event_id": activity.event_id, "time": time, "offset": offset}
    fact |= {"learner": activity.learner, "course_run": activity.course_run, "kind": activity.kind}
    for name in ("object", "score", "progress"):
        value = getattr(activity, name)
        if value is not None:
            fact[name] = value
    return fact


def _too_late(activity: Activity) -> Refusal:
    found = activity.occurred_at.isoformat()
    return Refusal(
        "too_late", "occurred_at", f"found {found}; expected within {CLOSED} days of the watermark"
    )
