"""The model of runs without an end: its examples wait for each other, and it is a model of its own."""

import orjson
import pytest
from pydantic import ValidationError

from features.catalogue import FINGERPRINT, INDEX
from online_models.classifier import MIN_EXAMPLES_PER_CLASS
from online_models.network import FULL_RATE_EXAMPLES
from online_models.open_runs import LONGEST_DAYS, OpenRunModel
from online_models.scoring import scorer_of
from online_models.trainer import Trainer
from schemas.learning import DayPackage, DayReport, ModelSnapshot, TrainingExample
from tests.online_models.examples import seeded

DAY = 17_000


def without_end(count: int, day: int = DAY, seed: int = 1) -> list[TrainingExample]:
    """Examples of a run without an end that came on a day."""
    found = []
    for example in seeded(count, seed):
        codes = bytearray(example.codes)
        codes[INDEX["phase"]] = 0
        found.append(example.model_copy(update={"codes": bytes(codes), "matured": day}))
    return found


def test_enough_of_them_are_learned_from_at_once() -> None:
    model, many = OpenRunModel(), without_end(FULL_RATE_EXAMPLES - 1)
    assert model.due(DAY, many) == []
    last = without_end(1, DAY + 1)
    assert model.due(DAY + 1, last) == [*many, *last]
    assert model.held == []


def test_a_few_are_learned_from_after_four_weeks() -> None:
    model, few = OpenRunModel(), without_end(2)
    model.due(DAY, few)
    assert model.due(DAY + LONGEST_DAYS - 1, []) == []
    assert model.due(DAY + LONGEST_DAYS, []) == few


def test_a_restart_loses_nothing() -> None:
    model = OpenRunModel()
    assert model.snapshot() is None
    model.learn(DAY, without_end(9))
    model.due(DAY, without_end(4, seed=2))
    snapshot = model.snapshot()
    assert snapshot is not None
    stored = ModelSnapshot.model_validate_json(orjson.dumps(snapshot.model_dump(mode="json")))
    assert OpenRunModel.from_snapshot(stored).snapshot() == snapshot
    with pytest.raises(ValidationError):
        OpenRunModel.from_snapshot(stored.model_copy(update={"state": stored.state | {"held": [{}]}}))


def packages(examples: list[list[TrainingExample]], restarts: bool = False) -> list[DayPackage]:
    """The packages of days with these examples, from one partition."""
    trainer, found = Trainer(1), list[DayPackage]()
    for number, of_day in enumerate(examples):
        fields = {"partition": 0, "day": DAY + number, "part": 0, "parts": 1, "cohorts": {}}
        found += trainer.receive(DayReport(**fields, features=FINGERPRINT, examples=of_day))
        if restarts:
            stored = orjson.dumps(found[-1].model_dump(mode="json"))
            trainer = Trainer.resume(DayPackage.model_validate_json(stored), 1)
    return found


def test_the_two_models_learn_apart() -> None:
    ended, open_ended = seeded(2 * FULL_RATE_EXAMPLES), without_end(2 * FULL_RATE_EXAMPLES, seed=2)
    (both,), (alone,), (other,) = (packages([each]) for each in ([*ended, *open_ended], ended, open_ended))
    assert both.model.state["weights"] == alone.model.state["weights"]
    assert alone.open_model is None
    assert "open_model" not in alone.model_dump(mode="json"), "as it was before there were such runs"
    assert both.open_model == other.open_model
    assert other.open_model is not None
    assert min(other.open_model.positives, other.open_model.examples) > MIN_EXAMPLES_PER_CLASS
    assert scorer_of(other.model).state == "warming_up"
    assert scorer_of(other.open_model).state == "serving"


def test_the_trainer_goes_on_after_a_restart_as_if_there_had_been_none() -> None:
    days = [without_end(400, DAY + number, seed=number) for number in range(4)]
    assert packages(days, restarts=True) == packages(days)
