"""Reports a break in a topic's log: a dead letter with the range of offsets, and a row. Pure."""

from datetime import UTC, datetime

from engine.continuity import Start
from engine.outputs import Outputs
from schemas.dead_letter import DeadLetter


def break_outputs(topic: str, partition: int, start: Start, timestamp: int) -> Outputs:
    """The dead letter and the row of the break before a start, if there is one. timestamp: epoch seconds."""
    outputs, log_break = Outputs(), start.log_break
    if log_break is None:
        return outputs
    offsets = f"{topic}:{partition}:{log_break.first}-{log_break.last}"
    letter = DeadLetter(
        dead_letter_id=f"{offsets}:{log_break.cause}:{start.topic_id}",
        topic=topic,
        partition=partition,
        offset=log_break.first,
        last_offset=log_break.last,
        reason="lost",
        detail=f"{log_break.cause}: {log_break.detail}",
        payload="",
        received_at=datetime.fromtimestamp(timestamp, UTC),
    )
    outputs.dead_letters.append(letter)
    outputs.add_row(
        "log_breaks",
        at=timestamp,
        topic=topic,
        partition=partition,
        topic_id=start.topic_id,
        cause=log_break.cause,
        first_offset=log_break.first,
        last_offset=log_break.last,
        records=log_break.records,
        detail=log_break.detail,
    )
    return outputs
