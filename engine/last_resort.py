"""When reading or applying a record raises: which record it was, and its dead letter.

Validation is the door (``decode``, ``intake``): behind it nothing that a record holds should raise. Where
something does all the same, an error would come again at every restart, and the partition would stand still
for ever. So each step that takes one record at a time is tried, and what raised is a dead letter with the
reason
*failed*. Which record it is depends on the records before it alone, so a replay refuses the same ones.
"""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import orjson

from engine.batch.admission import Intake, Work
from engine.batch.decoding import SHOWN, Refusal, letter
from engine.batch.records import RecordBatch
from engine.state.partition_state import PartitionState
from schemas.dead_letter import DeadLetter

log = logging.getLogger(__name__)

LONGEST = 4_096
"""Characters of a payload that a letter keeps."""


def refusal(error: Exception) -> Refusal:
    """Of a record whose applying raised."""
    words = f"{type(error).__name__}: {error}"
    return Refusal("failed", "", words if len(words) <= 2 * SHOWN else words[: 2 * SHOWN] + "…")


def admit(intake: Intake, batch: RecordBatch, applied: int) -> tuple[Intake, Work]:
    """Take a batch in, without the records that cannot be. Returns the intake as it is afterwards.

    Raises what the intake raises where no record alone makes it.
    """
    after = replace(intake)
    try:
        return after, after.admit(batch, applied)
    except Exception as error:
        log.exception("reading %s:%d failed", batch.topic, batch.partition)
        failed = {
            place: letter(batch, place, refusal(why))
            for place in range(len(batch))
            if (why := _fails_alone(intake, batch, place)) is not None
        }
        if not failed:
            raise error from None
    values = [None if place in failed else value for place, value in enumerate(batch.values)]
    after = replace(intake)
    work = after.admit(replace(batch, values=values), applied)
    by_offset = {one.offset: one for one in failed.values()}
    work.letters = [by_offset.get(one.offset, one) for one in work.letters]
    return after, work


def _fails_alone(intake: Intake, batch: RecordBatch, place: int) -> Exception | None:
    at = slice(place, place + 1)
    alone = replace(
        batch,
        offsets=batch.offsets[at],
        keys=batch.keys[at],
        values=batch.values[at],
        timestamps=batch.timestamps[at],
    )
    try:
        replace(intake).admit(alone, -1)
    except Exception as error:
        return error
    return None


def letter_of_fact(topic: str, partition: int, fact: dict[str, Any], error: Exception) -> DeadLetter:
    """Of a fact that waited for its day to close, and could not be applied then."""
    offset, why = fact.get("offset", -1), refusal(error)
    return DeadLetter(
        dead_letter_id=f"{topic}:{partition}:{offset}",
        topic=topic,
        partition=partition,
        offset=offset,
        reason=why.reason,
        field=why.field,
        detail=why.detail,
        payload=orjson.dumps(fact).decode()[:LONGEST],
        received_at=datetime.fromtimestamp(fact["time"], UTC),
    )


@contextmanager
def undone(state: PartitionState, learner: str, slot: int | None = None) -> Iterator[None]:
    """Leave an enrolment's row and its learner's record as they were where something raises."""
    row = None if slot is None else state.rows[slot].copy()
    known = state.learners.get(learner)
    try:
        yield
    except Exception:
        if slot is not None:
            state.rows[slot] = row
        if state.learners.get(learner) is not known:
            state.set_learner(learner, known or {})
        raise
