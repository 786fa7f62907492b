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

from collections import deque
from collections.abc import Iterator, Sequence

from engine import last_resort
from engine.batch.admission import Intake, Work
from engine.batch.counting import ActivityCounting
from engine.batch.decoding import Message, decode_feedback, letter
from engine.batch.hourly_counts import HourlyCounts
from engine.batch.records import RecordBatch
from engine.batch.unknown_fields import bounded
from engine.continuity import Start, Vouched
from engine.day.close import ClosedDay, DayClose
from engine.day.fact_application import FactApplication
from engine.day.nudge_outcomes import Following
from engine.log_breaks import told
from engine.outputs import Outputs
from engine.rules import Rules
from engine.scoring.scorer import DayScoring
from engine.scoring.scoring_day import ScoredCohort, ScoringDay
from engine.state.partition_state import PartitionState
from engine.state.row_keys import StateRow
from features.ring import NEVER
from schemas.dead_letter import OF_A_PART
from schemas.fields import DAY_S
from schemas.learning import DayPackage, DayReport


class PartitionProcessor:
    """See the module's text."""

    def __init__(self, partition: int, rules: Rules, state: PartitionState) -> None:
        self.partition = partition
        self.rules = rules
        self.state = state
        self._intake = Intake(rules.timing, state.clock.newest, state.clock.ticked, state.clock.doubted)
        self._work: deque[Work] = deque()
        self._closed: ClosedDay | None = None
        self.scored: list[ScoredCohort] = []
        """The estimates of the last ``advance``, for those who judge them."""
        following = Following(partition, state, delivered=rules.nudges_delivered)
        self._scoring = DayScoring(partition, rules, state, following)
        self._hourly = HourlyCounts(partition, state, rules.timing.lateness)
        self._counting = ActivityCounting(state, self._hourly)
        facts = FactApplication(
            partition,
            state,
            on_enrolment_fact=self._scoring.apply_enrolment_fact,
            close_trial=lambda trial: PartitionProcessor(partition, rules, trial).close(),
        )
        self._day_close = DayClose(partition, state, facts, following)

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
        self._apply_admitted(outputs)
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
                    self._apply_one_feedback(message, outputs)
                except Exception as error:
                    letters.append(letter(batch, place, last_resort.refusal(error)))
        outputs.dead_letters += sorted(
            (one for one in letters if one.offset > after), key=lambda one: one.offset
        )
        self.state.clock.applied[batch.topic] = max(after, batch.last_offset)
        return outputs

    def _apply_one_feedback(self, message: Message, outputs: Outputs) -> None:
        found = Outputs()
        with last_resort.undone(self.state, message["learner"]):
            self._scoring.apply_feedback(message, found)
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
        self._closed = self._day_close.close(today)
        return self._closed.report

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
            closed.cohorts, ScoringDay.of(closed.day + 1, package, stale=stale), outputs
        )
        outputs.extend(closed.counts)
        self._apply_admitted(outputs)
        return outputs

    def checkpoint(self, epoch: int) -> Iterator[StateRow]:
        """Everything that changed since the last checkpoint. Raises ``RuntimeError`` mid-close."""
        if self._closed is not None:
            raise RuntimeError("a day is being closed: advance first")
        return self.state.checkpoint(epoch)

    # -- applying events ----------------------------------------------------------------------------

    def _day(self, newest: int) -> int:
        """The epoch day in which the watermark lies. newest: the newest event time, epoch seconds."""
        return (newest - self.rules.timing.lateness) // DAY_S

    def _apply_admitted(self, outputs: Outputs) -> None:
        """Apply what has been admitted, up to the next day's close."""
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
        self._hourly.flush(outputs)

    def _apply_segment(self, work: Work, stop: int, outputs: Outputs) -> None:
        """Apply messages up to position ``stop``; all of them belong before the next close."""
        clock = self.state.clock
        start = work.position
        if stop > start:
            self._counting.apply(work, stop, outputs)
            for offset in map(work.offset, range(start, stop) if work.unknown else ()):
                self._note_unknown(work.unknown.get(offset, ()), outputs)
            clock.newest = max(clock.newest, int(work.newest[stop - 1]))
            clock.ticked, clock.doubted = int(work.ticked[stop - 1]), int(work.doubted[stop - 1])
        work.position = stop
        clock.applied[work.batch.topic] = work.batch.last_offset if work.done else work.offset(stop) - 1
        letters = work.pop_letters()
        for one in letters:
            if one.offset in work.letter_days:
                self.state.tallies.refuse(one, work.letter_days[one.offset])
        clock.dead_letters += sum(one.reason not in OF_A_PART for one in letters)
        outputs.dead_letters += letters

    def _note_unknown(self, names: Sequence[str], outputs: Outputs) -> None:
        bounded(self.state.unknown_fields, names)
        bounded(outputs.unknown_fields, names)
