"""Decodes the records of the course facts topic: calendars and new names of runs, each published once.

A partition applies the facts and the trainer's worker reports the dead letters, so that a record that every
partition reads is one dead letter. A record without a value is a tombstone: the topic forgets the calendar,
partitions that have it keep it.
"""

from dataclasses import dataclass, field, replace

from engine.batch.activities import Activity
from engine.batch.admission import BatchAdmission, Timing
from engine.batch.decoding import MAX_SHOWN_CHARS, Message, Refusal, dead_letter, decode_events
from engine.batch.pending_facts import fact_of_message
from engine.batch.records import RecordBatch
from engine.failed_records import failure_refusal
from schemas.dead_letter import DeadLetter
from schemas.fields import shorten
from schemas.inbound import COURSE_FACT_TYPES


@dataclass(frozen=True, slots=True)
class CourseFacts:
    """The facts of a batch, in offset order, and dead letters of its other records and of refused fields."""

    facts: list[Message] = field(default_factory=list)
    letters: list[DeadLetter] = field(default_factory=list)


def decode_course_facts(batch: RecordBatch, timing: Timing) -> CourseFacts:
    """Decode a batch of course facts, record by record. Called by the processor and the trainer's agent."""
    decoded = CourseFacts()
    for index in range(len(batch)):
        if batch.values[index] is not None:
            try:
                _decode(batch, index, timing, decoded)
            except Exception as error:
                decoded.letters.append(dead_letter(batch, index, failure_refusal(error)))
    return decoded


def _decode(batch: RecordBatch, index: int, timing: Timing, decoded: CourseFacts) -> None:
    one = _record(batch, index)
    events = decode_events(one)
    decoded.letters.extend(events.letters)
    for message in events.messages:
        refusal = _refusal(message, batch.keys[index])
        if refusal is None and not isinstance(message, Activity):
            refusal = BatchAdmission(timing).refuse_future(one, 0, message)
            if refusal is None:
                decoded.facts.append(_fact(message, batch, index, timing))
        if refusal is not None:
            decoded.letters.append(dead_letter(one, 0, refusal))


def _record(batch: RecordBatch, index: int) -> RecordBatch:
    record = slice(index, index + 1)
    return replace(
        batch,
        offsets=batch.offsets[record],
        keys=batch.keys[record],
        values=batch.values[record],
        timestamps=batch.timestamps[record],
    )


def _fact(message: Message, batch: RecordBatch, index: int, timing: Timing) -> Message:
    """The fact of a message. Its id has the offset: two records are two facts, whatever id they carry."""
    offset = batch.offsets[index]
    fact = fact_of_message(message, int(message["occurred_at"].timestamp()), offset, timing.days)
    return fact | {"event_id": f"{message['event_id']}@{offset}", "topic": batch.topic}


def _refusal(message: Message | Activity, key: bytes | None) -> Refusal | None:
    """The refusal of a message that is about no run or has another key than its run; None if it is valid."""
    kind = "activity" if isinstance(message, Activity) else message["type"]
    if isinstance(message, Activity) or kind not in COURSE_FACT_TYPES:
        return Refusal("unknown_type", "type", f"found {kind!r}; expected 'calendar' or 'renamed'")
    if key is None:
        return Refusal("no_key", "key", "the record has no key; expected the course run")
    name, run = key.decode(errors="replace"), message["course_run"]
    if run not in (name, shorten(name)):
        return Refusal("wrong_key", "key", f"found {name[:MAX_SHOWN_CHARS]!r}; expected {run!r}")
    return None
