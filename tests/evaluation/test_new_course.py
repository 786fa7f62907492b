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
        Presentation(*name.split("/"))
        for name in ("A/2013J", "A/2014B", "A/2013B", "B/2014B", "C/2013J", "C/2014J")
    ]
    assert leave_one_module_out(runs) == [
        Split(Presentation("A", "2014B"), (Presentation("A", "2013B"), Presentation("A", "2013J"))),
        Split(Presentation("C", "2014J"), (Presentation("C", "2013J"),)),
    ]


@pytest.fixture(scope="module")
def compared(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[Comparison], str]:
    folder, printed = write(tmp_path_factory.mktemp("oulad")), io.StringIO()
    return folder, compare(folder, REPLAY, Console(file=printed, width=200)), printed.getvalue()


def test_known_and_new_are_compared_from_the_fourth_week_on(
    compared: tuple[Path, list[Comparison], str],
) -> None:
    _, comparisons, printed = compared
    assert [
        (comparison.module, comparison.presentation, comparison.left_out) for comparison in comparisons
    ] == [
        ("AAA", "2014B", ("2013J",)),
        ("BBB", "2014B", ("2013J",)),
    ]
    for comparison in comparisons:
        assert 0.6 < comparison.new < 1
        assert comparison.difference == comparison.new - comparison.known
        assert comparison.low <= comparison.difference <= comparison.high
        assert comparison.within == (comparison.difference >= -MAX_AUC_LOSS)
        assert set(comparison.experts) == set(EXPERTS)
        assert len(set(comparison.experts.values())) == 2, "they are not the same"
        assert comparison.beyond_best == comparison.new - max(comparison.experts.values())
        assert comparison.mixed_well == (comparison.beyond_best >= -MAX_LOSS_TO_BEST_EXPERT)
        assert [week.day for week in comparison.new_by_week] == list(range(7, 43, 7))
        assert [week.auc for week in comparison.new_by_week] != [
            week.auc for week in comparison.known_by_week
        ]
    assert "pass 3 of 3" in printed
    assert "everything" in printed


def test_a_trial_is_a_pass_over_the_stream_without_the_runs(
    compared: tuple[Path, list[Comparison], str],
) -> None:
    """The figures are those of an estimate of the folder with the runs taken out of it."""
    folder = OuladFolder(compared[0])
    runs = [run for run in folder.presentations if run.course_run != "AAA/2013J"]
    table, _ = estimate(folder, frozenset({"2014B"}), REPLAY, QUIET, runs=runs)
    outcomes = read_outcomes(compared[0], ["2014B"])
    outcomes = outcomes.select(outcomes.module == "AAA")
    assert figures_by_week(weekly_estimates(label_estimates(table, outcomes))) == compared[1][0].new_by_week


def test_the_comparison_is_shown(compared: tuple[Path, list[Comparison], str]) -> None:
    printed = io.StringIO()
    show(compared[1], Console(file=printed, width=80))
    assert "AAA/2014B" in printed.getvalue()
    assert "…" not in printed.getvalue(), "it fits a terminal"
    assert f"of 2 modules lose no more than {MAX_AUC_LOSS}" in " ".join(printed.getvalue().split())
    assert render(new_course_report.page(compared[1])).count("<svg") == 3


def test_without_earlier_runs_there_is_nothing_to_compare(tmp_path: Path) -> None:
    only_run = {(row[0], row[1]) for row in CLICKS if row[1] == "2013J"}
    with pytest.raises(NewCourseError, match="no module of the folder has an earlier run"):
        compare(write_parquet(tmp_path / "oulad", only_run), REPLAY, QUIET)
