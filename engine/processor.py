"""The processor of one partition: from its records to messages, rows and state.

Pure: it knows neither Kafka nor the store nor the wall clock, so the worker, a backtest, a benchmark
and a test all run this object. Its contract:

``apply(batch)``
    Applies a batch up to the record at which the watermark passes the end of a day, and buffers the
    remaining records. Never blocks. Raises nothing for invalid input, which becomes dead letters.
``due``
    The day to close, or None. No record after its end is applied before it is closed.
``close()``
    Ends the day: applies facts in event time, computes features, collects matured examples. Returns
    the day's report, in parts. The next day opens at once, so that its events can be applied while the
    trainer's package is awaited; it is not due before ``advance``.
``closing``
    The closed day whose package is awaited, or None. Its report is in ``report``.
``apply_course_facts(batch, position)``
    Takes over the course facts up to the offset that the day's package names; between ``close`` and
    ``advance``. Their calendars are in force from the next close on, like those of the events topic.
``advance(package)``
    Scores the day after the closed one with its package, from the features computed at the close.
``checkpoint(epoch)``
    The state rows that changed, the mark last, for the state topic. Valid at any time except between
    ``close`` and ``advance``. All earlier outputs must be delivered before these rows are written.
``applied(topic)``
    The offset up to which a checkpoint taken now covers the topic. Batches up to it may be acked after it.
``applied_position(topic)``, ``resume_at(topic, start, timestamp)``
    Before the first batch: up to where the restored state has applied the topic, and where to go on reading.
"""

from collections import deque
from collections.abc import Iterator, Sequence

from engine import failed_records
from engine.accounts.carrying import Arrival
from engine.batch.admission import AdmittedBatch, BatchAdmission
from engine.batch.counting import ActivityCounting
from engine.batch.course_facts import decode_course_facts
from engine.batch.decoding import Message, dead_letter, decode_feedback
from engine.batch.hourly_counts import HourlyCounts
from engine.batch.records import RecordBatch
from engine.batch.unknown_fields import count_names
from engine.continuity import AppliedPosition, Start
from engine.day.close import ClosedDay, DayClose
from engine.day.fact_application import FactApplication
from engine.day.nudge_outcomes import ExposureFollowUp
from engine.log_breaks import break_outputs
from engine.outputs import Outputs
from engine.rules import Rules
from engine.scoring.scorer import DayScoring
from engine.scoring.scoring_day import ScoredCohort, ScoringDay
from engine.state.partition_state import PartitionState
from engine.state.row_keys import StateRow
from features.ring import NEVER
from schemas.learning import DayPackage, DayReport


class PartitionProcessor:
    """See the module's docstring for the contract."""

    def __init__(self, partition: int, rules: Rules, state: PartitionState) -> None:
        self.partition = partition
        self.rules = rules
        self.state = state
        self._admission = BatchAdmission(
            rules.timing, state.clock.newest, state.clock.ticked, state.clock.doubted
        )
        self._admitted: deque[AdmittedBatch] = deque()
        self._closed: ClosedDay | None = None
        self.scored: list[ScoredCohort] = []
        """The estimates of the last ``advance``, for evaluation."""
        follow_up = ExposureFollowUp(partition, state, delivered=rules.nudges_delivered)
        self._scoring = DayScoring(partition, rules, state, follow_up)
        self._hourly = HourlyCounts(partition, state, rules.timing.lateness)
        self._counting = ActivityCounting(state, self._hourly)
        facts = FactApplication(
            partition,
            state,
            on_enrolment_fact=self._scoring.apply_enrolment_fact,
            rename_run=self._scoring.rename_run,
            close_trial=lambda trial: PartitionProcessor(partition, rules, trial).close(),
        )
        self._day_close = DayClose(
            partition, state, facts, follow_up, rules.event_id_capacity, self._scoring.cancel_account
        )
        self._arrival = Arrival(partition, state, follow_up, self._scoring.note_merge)

    # -- the contract -------------------------------------------------------------------------------

    @property
    def due(self) -> int | None:
        """The epoch day that must be closed before any record after its end is applied; None without one."""
        clock = self.state.clock
        if self._closed is not None or not self._blocked:
            return None
        return clock.today

    @property
    def _blocked(self) -> bool:
        """Whether the watermark, now or after the next record, is past the end of today."""
        clock = self.state.clock
        if clock.today is None:
            return False
        newest = clock.newest
        if self._admitted and not self._admitted[0].is_done:
            admitted = self._admitted[0]
            newest = max(newest, int(admitted.newest[admitted.position]))
        return self._day(newest) > clock.today

    @property
    def closing(self) -> int | None:
        """The closed epoch day whose package is awaited; None if there is none."""
        return None if self._closed is None else self._closed.day

    @property
    def report(self) -> list[DayReport]:
        """The report of the day that is closing, in parts; empty where none is."""
        return [] if self._closed is None else self._closed.report

    def applied(self, topic: str) -> int:
        """The last applied offset of an inbound topic; −1 before any."""
        return self.state.clock.applied.get(topic, -1)

    def applied_position(self, topic: str) -> AppliedPosition:
        """The last applied offset of a topic, and the id of the topic that it belongs to."""
        return AppliedPosition(self.applied(topic), self.state.clock.topics.get(topic, ""))

    def resume_at(self, topic: str, start: Start, timestamp: int) -> Outputs:
        """Set where reading of a topic goes on; a break before it is counted and reported in the outputs.

        Called at each assignment, before a batch of the topic is applied. timestamp: wall clock, epoch s.
        """
        clock = self.state.clock
        clock.applied[topic] = start.position - 1
        clock.topics[topic] = start.topic_id
        if start.log_break is None:
            return Outputs()
        clock.lost += start.log_break.records
        return break_outputs(topic, self.partition, start, timestamp)

    @property
    def pending(self) -> int:
        """Number of admitted messages that are not yet applied."""
        return sum(len(admitted.messages) - admitted.position for admitted in self._admitted)

    @property
    def watermark(self) -> int | None:
        """The watermark, epoch seconds; None before the first event."""
        newest = self.state.clock.newest
        return None if newest == NEVER else newest - self.rules.timing.lateness

    def apply(self, batch: RecordBatch) -> Outputs:
        """Admit a batch of the events topic, and apply it up to the next day's close."""
        after = max([self.applied(batch.topic), *(admitted.batch.last_offset for admitted in self._admitted)])
        if batch.last_offset > after:
            self._admission, admitted = failed_records.admit(self._admission, batch, after)
            self._admitted.append(admitted)
        outputs = Outputs()
        self._apply_admitted(outputs)
        return outputs

    def apply_feedback(self, batch: RecordBatch) -> Outputs:
        """Apply a batch of the feedback topic: preferences, and what became of nudges."""
        outputs = Outputs()
        decoded = decode_feedback(batch)
        after, letters = self.applied(batch.topic), decoded.letters
        for index, message in zip(decoded.indices, decoded.messages, strict=True):
            refusal = self._admission.refuse_future(batch, index, message)
            if refusal is not None:
                letters.append(dead_letter(batch, index, refusal))
            elif batch.offsets[index] > after:
                self._note_unknown(decoded.unknown.get(index, ()), outputs)
                try:
                    self._apply_feedback_message(message, outputs)
                except Exception as error:
                    letters.append(dead_letter(batch, index, failed_records.failure_refusal(error)))
        outputs.dead_letters += sorted(
            (letter for letter in letters if letter.offset > after), key=lambda letter: letter.offset
        )
        self.state.clock.applied[batch.topic] = max(after, batch.last_offset)
        return outputs

    def _apply_feedback_message(self, message: Message, outputs: Outputs) -> None:
        message_outputs = Outputs()
        with failed_records.restore_on_error(self.state, message["learner"]):
            self._scoring.apply_feedback(message, message_outputs)
        outputs.extend(message_outputs)

    def apply_course_facts(self, batch: RecordBatch, position: int) -> None:
        """Store the calendars of a batch of course facts until the next close.

        Called before ``advance``, so that a calendar holds from the same day on in every partition. The
        trainer's worker reports the invalid records. position: the last offset that the package names.
        """
        clock = self.state.clock
        after = self.applied(batch.topic)
        facts = [
            fact
            for fact in decode_course_facts(batch, self.rules.timing).facts
            if after < fact["offset"] <= position
        ]
        for fact in facts:
            self.state.add_fact(fact)
        clock.events += len(facts)
        clock.applied[batch.topic] = max(after, position)

    def advance_clock(self, now: int) -> None:
        """Live and idle: advance event time to the wall clock ``now``, epoch seconds, as no events arrive."""
        clock = self.state.clock
        if self._admitted or now <= clock.newest:
            return
        clock.newest = self._admission.newest = now
        if clock.today is None:
            clock.today = self._day(now)

    def close(self) -> list[DayReport]:
        """Close the day that is due; returns its report.

        Raises:
            RuntimeError: no day is due.
        """
        today = self.due
        if today is None:
            raise RuntimeError("no day is due")
        self._closed = self._day_close.close(today)
        return self._closed.report

    def advance(self, package: DayPackage, *, stale: bool = False) -> Outputs:
        """Score the day after the closed one, and apply buffered records.

        stale: the package is of an older day.

        Raises:
            RuntimeError: no day is closed.
        """
        closed, self._closed = self._closed, None
        if closed is None:
            raise RuntimeError("close the day before advancing")
        outputs = Outputs()
        self.state.unobserved_days.update(package)
        self.state.yardsticks.update(package)
        if closed.outcomes:
            outputs.add_rows("nudge_outcomes", closed.outcomes)
        cohorts = self._arrival.take_over(package, closed.cohorts, closed.present)
        self.scored = self._scoring.score(
            cohorts, ScoringDay.of(closed.day + 1, package, stale=stale), outputs
        )
        outputs.extend(closed.counts)
        self._apply_admitted(outputs)
        return outputs

    def checkpoint(self, epoch: int) -> Iterator[StateRow]:
        """The state rows that changed since the last checkpoint, the mark last.

        Raises:
            RuntimeError: a day is closed and not yet scored.
        """
        if self._closed is not None:
            raise RuntimeError("a day is being closed: advance first")
        return self.state.checkpoint(epoch)

    # -- applying events ----------------------------------------------------------------------------

    def _day(self, newest: int) -> int:
        """The epoch day of the watermark. newest: the newest event time, epoch seconds."""
        return self.state.days.day(newest - self.rules.timing.lateness)

    def _closing_time(self, day: int) -> int:
        """The event time at which an epoch day closes, epoch seconds."""
        return self.state.days.start(day + 1) + self.rules.timing.lateness

    def _apply_admitted(self, outputs: Outputs) -> None:
        """Apply admitted messages up to the next day's close."""
        clock = self.state.clock
        while self._admitted and not self._blocked:
            admitted = self._admitted[0]
            if clock.today is None and (first_time := admitted.first_event_time()) is not None:
                clock.today = self._day(first_time)
            stop = len(admitted.messages)
            if clock.today is not None:
                stop = admitted.position_reaching(self._closing_time(clock.today))
            self._apply_segment(admitted, stop, outputs)
            if admitted.is_done:
                self._admitted.popleft()
        self._hourly.flush(outputs)

    def _apply_segment(self, admitted: AdmittedBatch, stop: int, outputs: Outputs) -> None:
        """Apply messages up to position ``stop``, all of them before the next close."""
        clock = self.state.clock
        start = admitted.position
        if stop > start:
            self._counting.apply(admitted, stop, outputs)
            for offset in map(admitted.offset, range(start, stop) if admitted.unknown else ()):
                self._note_unknown(admitted.unknown.get(offset, ()), outputs)
            clock.newest = max(clock.newest, int(admitted.newest[stop - 1]))
            clock.ticked = int(admitted.newest_tick[stop - 1])
            clock.doubted = int(admitted.unconfirmed_tick[stop - 1])
        admitted.position = stop
        clock.applied[admitted.batch.topic] = (
            admitted.batch.last_offset if admitted.is_done else admitted.offset(stop) - 1
        )
        letters = admitted.pop_dead_letters()
        refused = [letter for letter in letters if not letter.is_about_a_field]
        for letter in refused:
            if letter.offset in admitted.letter_days:
                self.state.source_counters.count_refused(letter, admitted.letter_days[letter.offset])
        clock.dead_letters += len(refused)
        outputs.dead_letters += letters

    def _note_unknown(self, names: Sequence[str], outputs: Outputs) -> None:
        count_names(self.state.unknown_fields, names)
        count_names(outputs.unknown_fields, names)
