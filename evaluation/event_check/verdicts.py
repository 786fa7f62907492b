"""What a worker would say of each record of a log: applied, dropped as a repeat, or refused and why.

The code is the worker's own (:mod:`engine.batch`), and so is the order in which it runs: a day closes between
the same two records as in :class:`~engine.processor.PartitionProcessor`, as one partition that has all of the
log. Only the state of enrolments is missing, so that a log of any size can be read. A test compares both.
"""

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from engine import failed_records
from engine.batch.activities import Activities, Activity
from engine.batch.admission import AdmittedBatch, BatchAdmission
from engine.batch.counting import find_repeats, known_earlier, oldest_counted, too_late
from engine.batch.decoding import Message, Refusal, dead_letter, decode_feedback
from engine.batch.records import RecordBatch
from engine.rules import Rules
from engine.state.event_ids import EventIds
from features.ring import NEVER, Ints
from schemas.dead_letter import DeadLetter
from schemas.topics import EVENTS, FEEDBACK
from sources.formats import SourceRecord

Flags = NDArray[np.bool_]


@dataclass(slots=True)
class Verdicts:
    """The verdicts on successive records.

    messages: of the events topic, valid and in time, repeats and late ones included. records: index of each
    message's record. times: event times, epoch seconds, [messages]. newest: the newest event time before each
    message, ``NEVER`` before any; leaps: seconds by which the message moves it, [messages]. repeats, late:
    messages that are dropped as repeats, and those refused as too late. after_close: messages whose day was
    closed already. letters: dead letters by index of the record, those about a field included. unknown:
    fields outside the contract by index of the record. feedback: valid messages of the feedback topic.
    """

    messages: list[Message | Activity] = field(default_factory=list)
    records: list[int] = field(default_factory=list)
    times: Ints = field(default_factory=lambda: np.zeros(0, np.int64))
    newest: Ints = field(default_factory=lambda: np.zeros(0, np.int64))
    leaps: Ints = field(default_factory=lambda: np.zeros(0, np.int64))
    repeats: Flags = field(default_factory=lambda: np.zeros(0, bool))
    late: Flags = field(default_factory=lambda: np.zeros(0, bool))
    after_close: Flags = field(default_factory=lambda: np.zeros(0, bool))
    letters: list[tuple[int, DeadLetter]] = field(default_factory=list)
    unknown: dict[int, tuple[str, ...]] = field(default_factory=dict)
    feedback: list[Message] = field(default_factory=list)


class LogReader:
    """Reads the records of one log in order, by a worker's rules.

    now: epoch seconds, the time of records without a timestamp.
    """

    def __init__(self, rules: Rules, now: int) -> None:
        self._rules = rules
        self._days, self._lateness = rules.timing.days, rules.timing.lateness
        self._now_ms = now * 1000
        self._admission = BatchAdmission(rules.timing)
        self._ids = EventIds()
        self._today: int | None = None
        self._next_offset = 0

    def read(self, records: Sequence[SourceRecord]) -> Verdicts:
        """The verdicts on the next records."""
        first, verdicts = self._next_offset, Verdicts()
        self._next_offset += len(records)
        events = self._batch(records, EVENTS.name, first)
        if len(events):
            newest_before = self._admission.newest
            self._admission, admitted = failed_records.admit(self._admission, events, first - 1)
            self._judge(admitted, newest_before, first, verdicts)
        verdicts.letters += self._untranslated(records, first)
        feedback = self._batch(records, FEEDBACK.name, first)
        if len(feedback):
            self._judge_feedback(feedback, first, verdicts)
        verdicts.letters.sort(key=lambda letter: letter[0])
        return verdicts

    def _batch(self, records: Sequence[SourceRecord], topic: str, first: int) -> RecordBatch:
        """The records of a topic; their offsets are their numbers in the log."""
        indices = [
            index for index, record in enumerate(records) if record.topic == topic and record.refused is None
        ]
        return self._batch_of(
            topic, [records[index] for index in indices], [first + index for index in indices]
        )

    def _batch_of(self, topic: str, records: Sequence[SourceRecord], offsets: list[int]) -> RecordBatch:
        return RecordBatch(
            topic,
            0,
            offsets,
            [record.key for record in records],
            [record.value for record in records],
            [self._now_ms if record.timestamp is None else record.timestamp for record in records],
        )

    def _untranslated(self, records: Sequence[SourceRecord], first: int) -> list[tuple[int, DeadLetter]]:
        """The dead letters of records of another format that cannot be translated, by index of the record."""
        return [
            (
                index,
                dead_letter(
                    self._batch_of(record.topic, [record], [first + index]), 0, Refusal(*record.refused)
                ),
            )
            for index, record in enumerate(records)
            if record.refused is not None
        ]

    def _judge(self, admitted: AdmittedBatch, newest_before: int, first: int, verdicts: Verdicts) -> None:
        """Fill in the verdicts on messages of the events topic, day by day as they are applied."""
        count = len(admitted.messages)
        verdicts.messages = admitted.messages
        verdicts.records = [admitted.offset(position) - first for position in range(count)]
        verdicts.times = admitted.times
        verdicts.newest = np.concatenate(([newest_before], admitted.newest[:-1])) if count else admitted.times
        is_first = verdicts.newest == NEVER
        verdicts.leaps = np.where(is_first, 0, admitted.newest - verdicts.newest)
        verdicts.repeats, verdicts.late, verdicts.after_close = (np.zeros(count, bool) for _ in range(3))
        letters = [(letter.offset - first, letter) for letter in admitted.dead_letters]
        start = 0
        while start < count:
            self._open_days(admitted, start)
            stop = count
            if self._today is not None:
                stop = admitted.position_reaching(self._days.start(self._today + 1) + self._lateness)
            letters += [
                (letter.offset - first, letter) for letter in self._judge_day(admitted, start, stop, verdicts)
            ]
            admitted.position = start = stop
        verdicts.letters += letters
        verdicts.unknown = {offset - first: names for offset, names in admitted.unknown.items()}

    def _open_days(self, admitted: AdmittedBatch, position: int) -> None:
        """Close the days that end before the message at a position, as the processor does one by one."""
        newest = int(admitted.newest[position])
        if self._today is None:
            confirmed = admitted.first_event_time()
            if confirmed is not None:
                self._today = self._day(confirmed)
            return
        if newest == NEVER:
            return
        while self._today < self._day(newest):
            self._ids.close_day(self._today, self._rules.event_id_capacity)
            self._today += 1

    def _day(self, newest: int) -> int:
        """The epoch day of the watermark."""
        return self._days.day(newest - self._lateness)

    def _judge_day(
        self, admitted: AdmittedBatch, start: int, stop: int, verdicts: Verdicts
    ) -> list[DeadLetter]:
        """Judge the messages from ``start`` to ``stop``, between which no day closes."""
        activities: Activities = admitted.activities.between(start, stop)
        others = admitted.others[bisect_left(admitted.others, start) : bisect_left(admitted.others, stop)]
        earlier = known_earlier(self._ids, activities, self._today, self._days)
        repeats = find_repeats(self._ids, admitted.messages, activities, others, earlier)
        verdicts.repeats[repeats] = True
        if self._today is not None:
            verdicts.after_close[start:stop] = admitted.times[start:stop] < self._days.start(self._today)
        remaining = activities.without(repeats) if repeats else activities
        late = remaining.positions[remaining.times < oldest_counted(self._today, self._days)].tolist()
        verdicts.late[late] = True
        return [
            dead_letter(
                admitted.batch,
                admitted.record_indices[position],
                too_late(cast(Activity, admitted.messages[position])),
            )
            for position in late
        ]

    def _judge_feedback(self, batch: RecordBatch, first: int, verdicts: Verdicts) -> None:
        decoded = decode_feedback(batch)
        letters: list[Any] = [*decoded.letters]
        for index, message in zip(decoded.indices, decoded.messages, strict=True):
            refusal = self._admission.refuse_future(batch, index, message)
            if refusal is not None:
                letters.append(dead_letter(batch, index, refusal))
            else:
                verdicts.feedback.append(message)
                if names := decoded.unknown.get(index):
                    verdicts.unknown[batch.offsets[index] - first] = names
        verdicts.letters += [(letter.offset - first, letter) for letter in letters]
