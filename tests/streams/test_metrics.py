"""Dead letters add up: those about a record are counted as records, those about a field are not."""

from datetime import UTC, datetime

from engine.outputs import Outputs
from schemas.dead_letter import DeadLetter, DeadLetterReason
from streams.metrics import Metrics


def letter(reason: DeadLetterReason, field: str) -> DeadLetter:
    return DeadLetter(
        dead_letter_id=f"t:0:7:{field}",
        topic="t",
        partition=0,
        offset=7,
        reason=reason,
        field=field,
        detail="found 1.05",
        payload="{}",
        received_at=datetime(2024, 1, 1, tzinfo=UTC),
    )


def test_a_refused_field_is_no_record() -> None:
    metrics = Metrics()
    letters = [letter("invalid", "kind"), letter("field", "score"), letter("field", "deadlines.3.weight")]
    metrics.count_outputs(0, Outputs(dead_letters=[*letters, letter("lost", "")]))
    value = metrics.registry.get_sample_value
    assert value("homeroom_dead_letters_total", {"reason": "invalid"}) == 1
    assert value("homeroom_dead_letters_total", {"reason": "field"}) is None
    assert value("homeroom_fields_refused_total", {"field": "score"}) == 1
    assert value("homeroom_fields_refused_total", {"field": "deadlines"}) == 1
    assert metrics.partition(0).health.dead_letters == 1
