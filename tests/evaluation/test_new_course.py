"""A module left out teaches nothing, and the comparison says what that costs."""

import io
from pathlib import Path

import pytest
from rich.console import Console

from evaluation import new_course_report
from evaluation.errors import NewCourseError
from evaluation.figures import figures_by_week
from evaluation.labelled_estimates import label_estimates, weekly_estimates
from evaluation.new_course import (
    MAX_AUC_LOSS,
    MAX_LOSS_TO_BEST_EXPERT,
    Comparison,
    Split,
    compare,
    leave_one_module_out,
    show,
)
from evaluation.one_pass import estimate
from evaluation.outcomes import read_outcomes
from evaluation.page import render
from online_models.mixture import EXPERTS
from sources.oulad import OuladFolder, Presentation
from tests.evaluation.folders import write
from tests.sources.oulad_folder import CLICKS, write_parquet
from tests.streams.pipeline import REPLAY

QUIET = Console(file=io.StringIO(), width=200)


def test_each_module_s_last_run_is_tried_without_its_earlier_ones() -> None:
    runs = [
        Presentation(*one.split("/"))
        for one in ("A/2013J", "A/2014B", "A/2013B", "B/2014B", "C/2013J", "C/2014J")
    ]
    assert leave_one_module_out(runs) == [
        Split(Presentation("A", "2014B"), (Presentation("A", "2013B"), Presentation("A", "2013J"))),
        Split(Presentation("C", "2014J"), (Presentation("C", "2013J"),)),
    ]


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[Comparison], str]:
    folder, told = write(tmp_path_factory.mktemp("oulad")), io.StringIO()
    return folder, compare(folder, REPLAY, Console(file=told, width=200)), told.getvalue()


def test_known_and_new_are_compared_from_the_fourth_week_on(
    found: tuple[Path, list[Comparison], str],
) -> None:
    _, comparisons, told = found
    assert [(one.module, one.presentation, one.left_out) for one in comparisons] == [
        ("AAA", "2014B", ("2013J",)),
        ("BBB", "2014B", ("2013J",)),
    ]
    for one in comparisons:
        assert 0.6 < one.new < 1
        assert one.difference == one.new - one.known
        assert one.low <= one.difference <= one.high
        assert one.within == (one.difference >= -MAX_AUC_LOSS)
        assert set(one.experts) == set(EXPERTS)
        assert len(set(one.experts.values())) == 2, "they are not the same"
        assert one.beyond_best == one.new - max(one.experts.values())
        assert one.mixed_well == (one.beyond_best >= -MAX_LOSS_TO_BEST_EXPERT)
        assert [week.day for week in one.new_by_week] == list(range(7, 43, 7))
        assert [week.auc for week in one.new_by_week] != [week.auc for week in one.known_by_week]
    assert "pass 3 of 3" in told
    assert "everything" in told


def test_a_trial_is_a_pass_over_the_stream_without_the_runs(
    found: tuple[Path, list[Comparison], str],
) -> None:
    """The figures are those of an estimate of the folder with the runs taken out of it."""
    folder = OuladFolder(found[0])
    runs = [one for one in folder.presentations if one.course_run != "AAA/2013J"]
    table, _ = estimate(folder, frozenset({"2014B"}), REPLAY, QUIET, runs=runs)
    outcomes = read_outcomes(found[0], ["2014B"])
    outcomes = outcomes.select(outcomes.module == "AAA")
    assert figures_by_week(weekly_estimates(label_estimates(table, outcomes))) == found[1][0].new_by_week


def test_the_comparison_is_shown(found: tuple[Path, list[Comparison], str]) -> None:
    told = io.StringIO()
    show(found[1], Console(file=told, width=80))
    assert "AAA/2014B" in told.getvalue()
    assert "…" not in told.getvalue(), "it fits a terminal"
    assert f"of 2 modules lose no more than {MAX_AUC_LOSS}" in " ".join(told.getvalue().split())
    assert render(new_course_report.page(found[1])).count("<svg") == 3


def test_without_earlier_runs_there_is_nothing_to_compare(tmp_path: Path) -> None:
    one = {(row[0], row[1]) for row in CLICKS if row[1] == "2013J"}
    with pytest.raises(NewCourseError, match="no module of the folder has an earlier run"):
        compare(write_parquet(tmp_path / "oulad", one), REPLAY, QUIET)
