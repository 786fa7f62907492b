"""Figures by hand, and against the project's judge of risk estimates where it is at hand."""

import json
import subprocess
import sys
from dataclasses import replace
from math import isnan, nan
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from evaluation.alerts import alert_figures, burden, figures_by_lead, first_alert_days
from evaluation.budget import evaluate_budget
from evaluation.calibration import calibration_error, reliability
from evaluation.errors import EstimatesError
from evaluation.figures import figures
from evaluation.labelled_estimates import label_estimates, weekly_estimates
from evaluation.outcomes import Outcomes, read_outcomes
from evaluation.ranking import abroca, recall_on_grid
from evaluation.saving import to_json_value
from online_models.auc import auc, auc_of_counts, count_by_estimate
from tests.evaluation.tables import outcomes_of, table_of
from tests.required import lacking
from tests.sources.oulad_folder import write_csv, write_parquet
from tests.sources.test_oulad import REAL

JUDGE = REAL.parent.parent / "tools" / "score_risk.py"


def truths(*values: int) -> np.ndarray[Any, np.dtype[np.bool_]]:
    return np.array(values, np.bool_)


def test_auc_is_the_share_of_pairs_in_the_right_order_and_ties_count_half() -> None:
    assert auc(truths(0, 0, 1, 1), np.array([0.1, 0.4, 0.3, 0.8])) == 0.75
    assert auc(truths(0, 1), np.array([0.5, 0.5])) == 0.5
    assert isnan(auc(truths(1, 1), np.array([0.1, 0.2])))


def test_auc_is_the_area_under_the_roc_curve() -> None:
    rng = np.random.default_rng(1)
    lost, risk = rng.random(500) < 0.4, rng.random(500).round(2)
    assert recall_on_grid(*count_by_estimate(lost, risk)).mean() == pytest.approx(auc(lost, risk), abs=2e-3)


def test_counts_of_many_resamples_give_many_areas() -> None:
    positive, negative = np.array([[0.0, 1], [1, 0], [1, 1]]), np.array([[1.0, 0], [0, 1], [1, 1]])
    assert auc_of_counts(positive, negative).tolist() == [1.0, 0.0, 0.5]


def test_abroca_is_the_area_between_and_does_not_cancel_out() -> None:
    perfect = recall_on_grid(*count_by_estimate(truths(0, 1), np.array([0.0, 1.0])))
    coin = recall_on_grid(*count_by_estimate(truths(0, 1), np.array([0.5, 0.5])))
    assert abroca(perfect, coin) == pytest.approx(0.5)
    early = recall_on_grid(*count_by_estimate(truths(1, 1, 0, 0), np.array([0.9, 0.1, 0.5, 0.5])))
    late = 1 - early[::-1]
    assert early.mean() == pytest.approx(late.mean())
    assert abroca(early, coin) == pytest.approx(0.25, abs=1e-3), "same area, other shape"


def test_calibration_weighs_bins_by_their_estimates() -> None:
    risk = np.array([0.1] * 8 + [0.9] * 2)
    lost = truths(*[0] * 8, 1, 0)
    bins = reliability(lost, risk)
    assert [(bin_.estimates, bin_.observed) for bin_ in bins] == [(8, 0.0), (2, 0.5)]
    assert [bin_.expected for bin_ in bins] == pytest.approx([0.1, 0.9])
    assert calibration_error(bins) == pytest.approx(0.8 * 0.1 + 0.2 * 0.4)


LEAVING = outcomes_of([True, True, True, True, False, False], [40, 40, 40, nan, nan, nan])
"""Three leavers, one who fails without leaving, two who stay."""


def test_alerts_are_judged_by_the_first_one() -> None:
    first = np.array([20.0, 30, 45, nan, 10, nan])
    result = alert_figures(first, LEAVING)
    assert result.precision == 0.75
    assert result.precision_actionable == pytest.approx(2 / 3), "the third came after the exit"
    assert result.recall == 0.75
    assert result.recall_lead14 == pytest.approx(1 / 3)
    assert result.recall_lead21 == 0.0
    assert result.median_lead == 10, "of 20, 10 and −5"
    assert result.alerts_per_100_per_week == pytest.approx(100 * (4 / 6) / 10)


def test_precision_and_recall_fall_with_the_lead_asked_for() -> None:
    points = {point.days: point for point in figures_by_lead(np.array([20.0, 30, 45, nan, 10, nan]), LEAVING)}
    assert [points[days].precision for days in (1, 11, 21)] == pytest.approx([2 / 3, 1 / 2, 0])
    assert [points[days].recall for days in (1, 11, 21)] == pytest.approx([2 / 3, 1 / 3, 0])


def test_the_burden_counts_every_alert_and_the_first_counts_once() -> None:
    row, day = np.array([0, 0, 1]), np.array([3, 9, 9])
    raised = truths(1, 1, 1)
    assert first_alert_days(row, day, raised, 2).tolist() == [3, 9]
    weeks = burden(day, raised, outcomes_of([True, False]))
    assert [(week.day, week.alerts, week.alerts_per_100) for week in weeks[:3]] == [
        (7, 1, 50.0),
        (14, 2, 100.0),
        (21, 0, 0.0),
    ]


def test_a_budget_is_spent_on_the_most_urgent_and_on_nobody_twice_in_four_weeks() -> None:
    """A hundred enrolments: two alarms a week. The two who leave on day 40 are the most urgent every week."""
    exits = [40.0, 40.0] + [nan] * 98
    outcomes = outcomes_of([True] * 2 + [False] * 98, exits)
    rows = [(who, day, (100 - who) / 100) for who in range(100) for day in range(7, 50, 7)]
    view = weekly_estimates(label_estimates(table_of(rows), outcomes))
    result = evaluate_budget(view, outcomes.exit)
    assert result.recall_14_42 == 1.0, "alarms on day 7, 33 days before"
    # Seven weeks, two alarms each; the leavers' turn comes on day 7 and, after 28 days, on day 42: too late.
    assert result.ppv_0_42 == pytest.approx(2 / 14)
    assert 0 <= evaluate_budget(view, outcomes.exit, rng=np.random.default_rng(0)).recall_14_42 < 1


def test_exit_risk_ranks_the_alarms_where_there_is_one() -> None:
    outcomes = outcomes_of([True] + [False] * 99, [40.0] + [nan] * 99)
    rows = [(who, day, 0.9 if who else 0.1, 0.1 if who else 0.9) for who in range(100) for day in (7, 14, 21)]
    with_exit = weekly_estimates(label_estimates(table_of(rows, "exit_risk"), outcomes))
    without = weekly_estimates(label_estimates(table_of(rows, "other"), outcomes))
    assert evaluate_budget(with_exit, outcomes.exit, 0.01).recall_14_42 == 1.0
    assert evaluate_budget(without, outcomes.exit, 0.01).recall_14_42 == 0.0
    assert with_exit.risk.tolist() == without.risk.tolist()


def test_exit_risk_is_judged_by_who_exits_within_three_weeks() -> None:
    outcomes = outcomes_of([True, True, False], [27.0, 28.0, nan])
    rows = [(who, 7, 0.5, risk) for who, risk in enumerate((0.9, 0.3, 0.1))]
    result = figures(table_of(rows, "exit_risk"), outcomes).exit_risk
    assert result is not None
    assert result.exits == pytest.approx(1 / 3), "day 27 is within 21 days of day 7, day 28 is not"
    assert result.auc == 1.0
    assert result.ece == pytest.approx((0.1 + 0.3 + 0.1) / 3)
    assert figures(table_of(rows, "other"), outcomes).exit_risk is None


def test_the_newest_estimate_of_the_week_counts_and_who_has_none_is_not_covered() -> None:
    outcomes = outcomes_of([True, False])
    view = weekly_estimates(
        label_estimates(table_of([(0, 1, 0.9), (0, 6, 0.2), (0, 8, 0.4), (1, 14, 0.6)]), outcomes)
    )
    assert list(zip(view.day.tolist(), view.row.tolist(), view.risk.tolist(), strict=True)) == [
        (7, 0, 0.2),
        (14, 0, 0.4),
        (14, 1, 0.6),
    ]
    assert view.in_force == 2 * len(range(7, 50, 7))


def test_who_has_left_or_not_begun_does_not_count() -> None:
    outcomes = replace(outcomes_of([True, True]), start=np.array([10.0, -5]), end=np.array([np.inf, 12]))
    rows = [(who, day, 0.5) for who in (0, 1) for day in range(0, 20)]
    judged = label_estimates(table_of(rows), outcomes)
    assert judged.day[judged.row == 0].tolist() == list(range(11, 20))
    assert judged.day[judged.row == 1].tolist() == list(range(1, 13))


def test_active_is_a_click_in_the_seven_days_before() -> None:
    outcomes = outcomes_of([True, False, True])
    outcomes.active[0, 0] = outcomes.active[1, 1] = outcomes.active[2, 1] = True
    rows = [(who, day, 0.5) for who in range(3) for day in (7, 14)]
    view = weekly_estimates(label_estimates(table_of(rows), outcomes))
    assert view.active.tolist() == [True, False, False, False, True, True]


def test_modules_are_told_apart() -> None:
    outcomes = outcomes_of([True, False, True, False], modules=["AAA", "AAA", "BBB", "BBB"])
    rows = [(who, day, 0.25) for who in range(4) for day in range(7, 50, 7)]
    a, b = table_of(rows[:14]), table_of(rows[14:], module="BBB")
    result = figures(pa.concat_tables([a, b]), outcomes)
    assert [module.module for module in result.by_module] == ["AAA", "BBB"]
    assert result.by_module[0].observed_over_expected == pytest.approx(2.0)
    assert result.alerts_raised is None
    assert result.coverage == 1.0


@pytest.mark.parametrize(
    ("table", "words"),
    [
        (table_of([(0, 7, 0.5)]).drop_columns(["risk"]), "estimates: risk is missing, found code_module, "),
        (table_of([(0, 7, 1.5)]), "risk: found 1.5, expected 0 to 1"),
        (table_of([(0, 7, nan)]), "risk: found nan, expected 0 to 1"),
        (table_of([(0, 7, 0.5), (0, 7, 0.6)]), "day: 7 of student 0 is there twice, expected one estimate"),
    ],
)
def test_what_is_no_table_of_estimates_is_refused(table: pa.Table, words: str) -> None:
    with pytest.raises(EstimatesError, match=words):
        label_estimates(table, outcomes_of([True]))


def test_outcomes_are_read_from_both_forms(tmp_path: Path) -> None:
    from_csv = read_outcomes(write_csv(tmp_path / "one"), ["2013J"])
    from_parquet = read_outcomes(write_parquet(tmp_path / "two"), ["2013J"])
    for name in Outcomes.__slots__:
        assert np.array_equal(
            getattr(from_csv, name), getattr(from_parquet, name), equal_nan=name in ("exit", "end")
        )
    by_student = dict(
        zip(
            from_csv.student.tolist(),
            zip(from_csv.lost.tolist(), from_csv.exit.tolist(), strict=True),
            strict=True,
        )
    )
    assert by_student[2] == (True, 15.0), "withdrew on day 15"
    assert isnan(by_student[3][1]), "failed, and was active on the last day"
    assert by_student[5] == (True, 20.0), "unregistered, yet failed"
    assert by_student[7][0] is False, "passed in the end"
    assert from_csv.start[from_csv.student == 3].tolist() == [-30.0]
    assert from_csv.active[from_csv.student == 1].nonzero()[1].tolist() == [0], "day 3, and not day −10"


def test_nan_becomes_null() -> None:
    result = figures(table_of([(0, day, 0.5) for day in range(1, 50)]), outcomes_of([True]))
    assert isnan(result.auc_weekly)
    text = json.dumps(to_json_value(result), allow_nan=False)
    assert json.loads(text)["auc_weekly"] is None


@pytest.mark.oulad
def test_the_judge_of_the_project_says_the_same(tmp_path: Path) -> None:
    """On estimates that know something, with ties, gaps, alerts and exit risk."""
    if not JUDGE.exists():
        lacking("oulad", f"no {JUDGE}")
    outcomes = read_outcomes(REAL, ["2013B"])
    rng, count = np.random.default_rng(7), len(outcomes)
    days = rng.integers(1, 240, (count, 30))
    student = np.repeat(np.arange(count), 30)
    keys = np.unique(student * 1000 + days.ravel())
    rows, day = keys // 1000, keys % 1000
    risk = np.clip(0.35 * outcomes.lost[rows] + rng.normal(0.3, 0.25, len(rows)), 0, 1).round(2)
    table = pa.table(
        {
            "code_module": outcomes.module[rows],
            "code_presentation": outcomes.presentation[rows],
            "id_student": outcomes.student[rows],
            "day": day,
            "risk": risk,
            "exit_risk": np.clip(risk + rng.normal(0, 0.1, len(rows)), 0, 1),
            "alert": (risk > 0.8).astype(np.int64),
        }
    )
    pq.write_table(table, tmp_path / "estimates.parquet")
    command = [sys.executable, str(JUDGE), str(REAL), str(tmp_path / "estimates.parquet")]
    judge = subprocess.run([*command, "--presentations", "2013B"], capture_output=True, text=True, check=True)
    theirs, ours = json.loads(judge.stdout), to_json_value(figures(table, outcomes))
    curve, raised = theirs.pop("curve"), theirs.pop("alerts_raised")
    for name, value in theirs.items():
        assert ours[name] == pytest.approx(value, rel=1e-9), name
    assert ours["alerts_raised"]["figures"] == pytest.approx(raised, rel=1e-9)
    best = {
        f"best_at_{name}": threshold["figures"] | {"threshold": threshold["threshold"]}
        for name, threshold in ours["best"].items()
    }
    assert best.keys() == curve.keys()
    for name, threshold in best.items():
        assert threshold == pytest.approx(curve[name], rel=1e-9), name
