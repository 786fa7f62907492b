"""Isolates a record whose decoding or application raises, and makes it a dead letter.

After validation (``decoding``, ``admission``) no record should raise. If one does all the same, the error
would come again at every restart and block the partition for ever. So each step that handles a single record
catches its errors, and the record becomes a dead letter with the reason *failed*. Which record fails depends
only on the records before it, so a replay refuses the same ones.
"""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import orjson

from engine.batch.admission import AdmittedBatch, BatchAdmission
from engine.batch.decoding import MAX_SHOWN_CHARS, Refusal, dead_letter
from engine.batch.records import RecordBatch
from engine.state.partition_state import PartitionState
from schemas.dead_letter import MAX_PAYLOAD_CHARS, DeadLetter

log = logging.getLogger(__name__)


def failure_refusal(error: Exception) -> Refusal:
    """The refusal of a record whose application raised."""
    detail = f"{type(error).__name__}: {error}"
    return Refusal(
        "failed", "", detail if len(detail) <= 2 * MAX_SHOWN_CHARS else detail[: 2 * MAX_SHOWN_CHARS] + "…"
    )


def admit(
    admission: BatchAdmission, batch: RecordBatch, applied: int
) -> tuple[BatchAdmission, AdmittedBatch]:
    """Admit a batch without the records that raise. Returns the admission's new state, and the batch.

    Raises:
        Exception: whatever admission raises, if no record raises it on its own.
    """
    copy = replace(admission)
    try:
        return copy, copy.admit(batch, applied)
    except Exception as error:
        log.exception("reading %s:%d failed", batch.topic, batch.partition)
        failed = {
            index: dead_letter(batch, index, failure_refusal(cause))
            for index in range(len(batch))
            if (cause := _fails_alone(admission, batch, index)) is not None
        }
        if not failed:
            raise error from None
    values = [None if index in failed else value for index, value in enumerate(batch.values)]
    copy = replace(admission)
    admitted = copy.admit(replace(batch, values=values), applied)
    by_offset = {letter.offset: letter for letter in failed.values()}
    admitted.dead_letters = [by_offset.get(letter.offset, letter) for letter in admitted.dead_letters]
    return copy, admitted


def _fails_alone(admission: BatchAdmission, batch: RecordBatch, index: int) -> Exception | None:
    record = slice(index, index + 1)
    alone = replace(
        batch,
        offsets=batch.offsets[record],
        keys=batch.keys[record],
        values=batch.values[record],
        timestamps=batch.timestamps[record],
    )
    try:
        replace(admission).admit(alone, -1)
    except Exception as error:
        return error
    return None


def dead_letter_of_fact(topic: str, partition: int, fact: dict[str, Any], error: Exception) -> DeadLetter:
    """The dead letter of a fact that could not be applied at the close of its day."""
    offset, refusal = fact.get("offset", -1), failure_refusal(error)
    return DeadLetter(
        dead_letter_id=f"{topic}:{partition}:{offset}",
        topic=topic,
        partition=partition,
        offset=offset,
        reason=refusal.reason,
        field=refusal.field,
        detail=refusal.detail,
        payload=orjson.dumps(fact).decode()[:MAX_PAYLOAD_CHARS],
        received_at=datetime.fromtimestamp(fact["time"], UTC),
    )


@contextmanager
def restore_on_error(state: PartitionState, learner: str, slot: int | None = None) -> Iterator[None]:
    """Restore an enrolment's row and work and its learner's history if the body raises."""
    row = None if slot is None else state.rows[slot].copy()
    work = None if slot is None else state.gradebook.snapshot(int(state.run_of[slot]), slot)
    history = state.learners.get(learner)
    try:
        yield
    except Exception:
        if slot is not None:
            state.rows[slot] = row
            if work is not None:
                state.gradebook.revert(int(state.run_of[slot]), slot, work)
        if state.learners.get(learner) is not history:
            state.set_learner(learner, history or {})
        raise
