"""What is said of a break in a topic's log: a dead letter with the range of offsets, and a row. Pure."""

from datetime import UTC, datetime

from engine.continuity import Start
from engine.outputs import Outputs
from schemas.dead_letter import DeadLetter


def told(topic: str, partition: int, start: Start, at: int) -> Outputs:
    """The outputs that tell of the break before a start; none where there is none. ``at``: epoch seconds."""
    found, broken = Outputs(), start.broken
    if broken is None:
        return found
    place = f"{topic}:{partition}:{broken.first}-{broken.last}"
    letter = DeadLetter(
        dead_letter_id=f"{place}:{broken.cause}:{start.topic_id}",
        topic=topic,
        partition=partition,
        offset=broken.first,
        last_offset=broken.last,
        reason="lost",
        detail=f"{broken.cause}: {broken.words}",
        payload="",
        received_at=datetime.fromtimestamp(at, UTC),
    )
    found.dead_letters.append(letter)
    found.add_row(
        "log_breaks",
        at=at,
        topic=topic,
        partition=partition,
        topic_id=start.topic_id,
        cause=broken.cause,
        first_offset=broken.first,
        last_offset=broken.last,
        records=broken.records,
        detail=broken.words,
    )
    return found
