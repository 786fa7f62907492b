"""Intervals hold what they say, and whole enrolments are drawn."""

import numpy as np
import pytest

from evaluation.intervals import (
    CLASSES,
    RESAMPLES,
    bootstrap_weights,
    interval,
    quantile_classes,
    resampled_aucs,
)
from online_models.auc import auc


def test_classes_keep_the_order_and_ties_together() -> None:
    risk = np.array([0.9, 0.1, 0.1, 0.5])
    result = quantile_classes(risk)
    assert result[1] == result[2] < result[3] < result[0] < CLASSES
    assert len(quantile_classes(np.zeros(0))) == 0


def test_a_draw_takes_as_many_as_there_are_always_the_same() -> None:
    assert bootstrap_weights(50).shape == (RESAMPLES, 50)
    assert (bootstrap_weights(50).sum(axis=1) == 50).all()
    assert (bootstrap_weights(50) == bootstrap_weights(50)).all()


def test_taking_everybody_once_gives_the_auc_itself() -> None:
    rng = np.random.default_rng(2)
    lost, risk, row = rng.random(4000) < 0.3, rng.random(4000), np.arange(4000) % 100
    result = resampled_aucs(row, lost, risk, np.ones((1, 100)))
    assert result[0] == pytest.approx(auc(lost, risk), abs=1e-3)


def test_many_rows_of_one_enrolment_make_nothing_surer() -> None:
    """Ten copies of every row: rows resampled would shrink the interval to a third."""
    rng = np.random.default_rng(3)
    lost = rng.random(300) < 0.5
    risk = np.clip(rng.normal(0.4 + 0.2 * lost, 0.2), 0, 1)
    row = np.arange(300)
    once = interval(resampled_aucs(row, lost, risk, bootstrap_weights(300)))
    tenfold = interval(
        resampled_aucs(row.repeat(10), lost.repeat(10), risk.repeat(10), bootstrap_weights(300))
    )
    assert tenfold == pytest.approx(once, abs=0.005)
    assert 0.04 < once[1] - once[0] < 0.2
    assert once[0] < auc(lost, risk) < once[1]


def test_without_anything_to_draw_from_nothing_is_said() -> None:
    assert all(np.isnan(interval(np.array([np.nan, np.nan]))))
