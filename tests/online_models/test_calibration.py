"""The slope is learned from outcomes, whatever the level of each run was."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from online_models.calibration import (
    INITIAL_PRECISION,
    INITIAL_SLOPE,
    MAX_PRECISION,
    MAX_SLOPE,
    MIN_SLOPE,
    CalibrationSlope,
)

Day = tuple[NDArray[np.float64], NDArray[np.bool_], NDArray[np.float64], list[str]]
OFF = np.array([-1.5, 0.3, 0.0, 1.0, -0.4])
"""How far off each run is as a whole."""


def day(slope: float, count: int, seed: int = 1) -> Day:
    draw = np.random.default_rng(seed)
    log_odds, run = draw.normal(0, 2, count), draw.integers(0, len(OFF), count)
    labels = draw.random(count) < 1 / (1 + np.exp(-(OFF[run] + slope * log_odds)))
    return log_odds, labels, draw.uniform(1, 5, count), [f"course-{number}/a" for number in run.tolist()]


@pytest.mark.parametrize("true", [0.7, 0.9, 1.0, 1.2])
def test_it_finds_how_far_to_believe_whatever_each_run_loses(true: float) -> None:
    slope = CalibrationSlope()
    for seed in range(3):
        slope.learn(*day(true, 20_000, seed))
    assert slope.value == pytest.approx(true, abs=0.03)
    assert slope.precision > MAX_PRECISION


def test_few_examples_hardly_move_it() -> None:
    slope = CalibrationSlope()
    slope.learn(*day(0.4, 12))
    assert abs(slope.value - INITIAL_SLOPE) < 0.05
    assert INITIAL_PRECISION < slope.precision < 1.1 * INITIAL_PRECISION


def test_it_forgets_as_far_as_to_follow_another_model() -> None:
    slope = CalibrationSlope()
    for seed, true in enumerate([0.8] * 5 + [1.1] * 5):
        slope.learn(*day(true, 20_000, seed))
    assert slope.value == pytest.approx(1.1, abs=0.05)


@given(
    said=st.lists(st.floats(-14, 14), min_size=1, max_size=30),
    lost=st.booleans(),
    runs=st.integers(1, 3),
)
def test_one_sided_outcomes_leave_it_finite_and_within_its_bounds(
    said: list[float], lost: bool, runs: int
) -> None:
    slope, count = CalibrationSlope(), len(said)
    slope.learn(
        np.array(said), np.full(count, lost), np.ones(count), [f"c/{at % runs}" for at in range(count)]
    )
    assert MIN_SLOPE <= slope.value <= MAX_SLOPE
    assert 0 < slope.precision < np.inf


def test_it_goes_on_from_its_state() -> None:
    uninterrupted, before = CalibrationSlope(), CalibrationSlope()
    for slope_ in (uninterrupted, before):
        slope_.learn(*day(0.8, 3000))
    after = CalibrationSlope.from_state(before.state())
    for slope_ in (uninterrupted, after):
        slope_.learn(*day(0.8, 3000, 2))
    assert after == uninterrupted
    assert after.value != INITIAL_SLOPE


@pytest.mark.parametrize("state", [None, [1.0], [0.2, 400.0], [1.0, -1.0], [float("nan"), 400.0], ["a", 1.0]])
def test_a_strange_state_is_refused(state: object) -> None:
    with pytest.raises(ValueError, match=r"slope|valid"):
        CalibrationSlope.from_state(state)  # type: ignore[arg-type]
