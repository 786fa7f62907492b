"""Drift of inputs and of losses: told when it is there, and hardly when it is not."""

import numpy as np
import pytest

from features.bins import histogram
from features.catalogue import BINS, FEATURES, INDEX
from online_models.drift import (
    ALARM_OPENS,
    MIN_ENROLMENTS,
    MONITORED,
    DriftMonitor,
    population_stability,
    squared_errors_by_enrolment,
)
from schemas.learning import ModelEvent, TrainingExample
from tests.online_models.examples import rows

RUN, DAY = "AAA/2014B", 100
PHASE = 40


def examples(count: int, *, shift: int = 0, error: float = 0.2, seed: int = 1) -> list[TrainingExample]:
    """Enrolments of one run, at one phase; bins that lie higher by ``shift``."""
    rng = np.random.default_rng(seed)
    examples_ = []
    for number, codes in enumerate(codes_of(count, shift, rng).T):
        label = bool(rng.random() < 0.4)
        apart = min(max(rng.normal(error, 0.1), 0.0), 1.0)
        examples_.append(
            TrainingExample.model_construct(
                enrolment=f"e{seed}-{number}",
                course_run=RUN,
                day=DAY,
                matured=DAY,
                label=label,
                probability=1 - apart if label else apart,
                served=True,
                codes=codes.tobytes(),
                ranks=bytes(len(FEATURES)),
                exits=False,
                season=0,
            )
        )
    return examples_


def codes_of(
    count: int, shift: int, rng: np.random.Generator
) -> np.ndarray[tuple[int, int], np.dtype[np.uint8]]:
    codes = np.clip(rng.normal(24 + shift, 8, (len(FEATURES), count)), 0, BINS - 1).astype(np.uint8)
    codes[INDEX["phase"]] = PHASE
    return codes


def test_the_index_is_nothing_by_chance_and_something_by_a_shift() -> None:
    rng = np.random.default_rng(1)
    shares = np.array([[0.5, 0.2, 0.1, 0.1, 0.04, 0.03, 0.02, 0.01]])
    by_chance = [
        float(population_stability(rng.multinomial(200, shares), rng.multinomial(600, shares))[0])
        for _ in range(400)
    ]
    assert abs(np.mean(by_chance)) < 0.01
    assert population_stability(rng.multinomial(200, shares[:, ::-1]), rng.multinomial(600, shares))[0] > 1


@pytest.mark.parametrize(("shift", "kinds"), [(0, []), (8, ["inputs_shifted"])])
def test_a_run_unlike_those_learned_from_is_told_once(shift: int, kinds: list[str]) -> None:
    drift, events = DriftMonitor(), list[ModelEvent]()
    drift.update(DAY, examples(600))
    rng = np.random.default_rng(5)
    for day in range(DAY + 1, DAY + 30):
        events += drift.compare_inputs(day, {"AAA/2015B": histogram(codes_of(200, shift, rng))})
    assert [event.what for event in events] == kinds
    assert (drift.metrics()["input_shift/AAA/2015B"] >= ALARM_OPENS) == bool(kinds)
    drift.compare_inputs(DAY + 31, {})
    assert drift.metrics() == {}


def test_the_feature_that_shifted_stands_out() -> None:
    drift, rng = DriftMonitor(), np.random.default_rng(5)
    drift.update(DAY, examples(600))
    codes = codes_of(300, 0, rng)
    codes[INDEX["silence"]] = np.clip(codes[INDEX["silence"]] + 12, 0, BINS - 1)
    drift.compare_inputs(DAY + 1, {"AAA/2015B": histogram(codes), "BBB/2015B": histogram(codes)})
    of = {name: value for name, value in drift.metrics().items() if name.startswith("feature_shift/")}
    assert len(of) == len(MONITORED)
    assert max(of, key=lambda name: of[name]) == "feature_shift/silence"
    assert of["feature_shift/silence"] > 5 * sorted(of.values())[-2]


def test_few_enrolments_and_courses_never_learned_from_say_nothing() -> None:
    drift = DriftMonitor()
    drift.update(DAY, examples(600))
    rng = np.random.default_rng(5)
    few, other = codes_of(MIN_ENROLMENTS - 1, 20, rng), codes_of(300, 20, rng)
    drift.compare_inputs(DAY, {"AAA/2015B": histogram(few), "BBB/2015B": histogram(other)})
    assert drift.metrics() == {}


@pytest.mark.parametrize(("error", "kinds"), [(0.2, []), (0.5, ["loss_rose"]), (0.05, ["loss_fell"])])
def test_a_loss_that_changes_is_told(error: float, kinds: list[str]) -> None:
    drift, events = DriftMonitor(), list[ModelEvent]()
    for number in range(4):
        events += drift.update(DAY + number, examples(300, seed=number))
    assert events == []
    for number in range(4, 6):
        events += drift.update(DAY + number, examples(300, seed=number, error=error))
    assert [event.what for event in events] == kinds
    assert all(event.of == "AAA" for event in events)


def test_an_enrolment_has_one_loss_and_only_served_estimates_count() -> None:
    one, other = examples(2)
    again = one.model_copy(update={"probability": 1.0 - one.probability})
    unserved = other.model_copy(update={"served": False})
    apart = one.probability - one.label
    expected = round(255 * (apart**2 + (1 - abs(apart)) ** 2) / 2)
    assert squared_errors_by_enrolment([one, again, unserved]).tolist() == [expected]


def test_it_goes_on_from_its_state() -> None:
    whole, part = DriftMonitor(), DriftMonitor()
    for number in range(4):
        part = DriftMonitor.from_state(part.state())
        taken = examples(300, seed=number, error=0.2 if number < 3 else 0.5)
        assert part.update(DAY + number, taken) == whole.update(DAY + number, taken)
        cohorts = {RUN: histogram(rows(300, np.random.default_rng(number))[0])}
        assert part.compare_inputs(DAY + number, cohorts) == whole.compare_inputs(DAY + number, cohorts)
    assert part.state() == whole.state()
    with pytest.raises(ValueError, match="drift: learned is int, expected an object"):
        DriftMonitor.from_state({"learned": 3})
