"""Examples of runs without an end wait for each other."""

import orjson
import pytest
from pydantic import ValidationError

from features.catalogue import INDEX
from online_models.held_examples import LONGEST_DAYS, HeldExamples
from online_models.network import FULL_RATE_EXAMPLES
from schemas.learning import TrainingExample
from tests.online_models.examples import seeded

DAY = 17_000
WITH_END = seeded(3)


def without_end(count: int, day: int = DAY) -> list[TrainingExample]:
    """Examples of a run without an end that came on a day."""
    found = []
    for example in seeded(count):
        codes = bytearray(example.codes)
        codes[INDEX["phase"]] = 0
        found.append(example.model_copy(update={"codes": bytes(codes), "matured": day}))
    return found


def test_those_of_runs_with_an_end_never_wait() -> None:
    held = HeldExamples()
    assert held.due(DAY, [*without_end(5), *WITH_END]) == WITH_END
    assert len(held.examples) == 5


def test_enough_of_them_are_learned_from_at_once() -> None:
    held, many = HeldExamples(), without_end(FULL_RATE_EXAMPLES - 1)
    assert held.due(DAY, many) == []
    last = without_end(1, DAY + 1)
    assert held.due(DAY + 1, [*WITH_END, *last]) == [*WITH_END, *many, *last]
    assert held.examples == []


def test_a_few_are_learned_from_after_four_weeks() -> None:
    held, few = HeldExamples(), without_end(2)
    held.due(DAY, few)
    assert held.due(DAY + LONGEST_DAYS - 1, []) == []
    assert held.due(DAY + LONGEST_DAYS, []) == few


def test_what_waits_is_still_there_after_a_restart() -> None:
    held = HeldExamples(without_end(4))
    stored = orjson.loads(orjson.dumps(held.state()))
    assert HeldExamples.from_state(stored).examples == held.examples
    assert HeldExamples.from_state(None).examples == []
    with pytest.raises(ValidationError):
        HeldExamples.from_state([{"day": "x"}])
