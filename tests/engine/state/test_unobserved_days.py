"""Days that were not seen in full, and how long rises wait after them."""

from engine.state.unobserved_days import UnobservedDays
from schemas.learning import DayPackage, ModelSnapshot
from schemas.quality import DayQuality, QualityVerdict


def package(day: int, *, since: int, runs: list[str], kind: str | None = None) -> DayPackage:
    verdict = QualityVerdict(
        source="web",
        course_run=None,
        kind=kind,
        problem="quiet",
        since=since,
        observed=0,
        expected=90,
        surprise=20,
        course_runs=runs,
    )
    model = ModelSnapshot(
        model="m", model_version="v", features="f", examples=0, positives=0, warming_up=True, state={}
    )
    return DayPackage(day=day, features="f", cohorts={}, model=model, quality=DayQuality(verdicts=[verdict]))


def test_days_are_those_since_when_a_verdict_is_in_force() -> None:
    unobserved = UnobservedDays()
    for day in (102, 103):
        unobserved.update(package(day, since=100, runs=["c/r"]))
    unobserved.update(package(110, since=110, runs=["c/r", "d/r"]))
    assert unobserved.of_run("c/r").days.tolist() == [100, 101, 102, 103, 110]
    assert (
        UnobservedDays(unobserved.as_json()).of_run("c/r").days.tolist()
        == unobserved.of_run("c/r").days.tolist()
    )
    unobserved.forget("c/r")
    assert unobserved.of_run("c/r").days.tolist() == []
    assert unobserved.of_run("d/r").days.tolist() == [110]


def test_a_deadline_is_in_doubt_only_where_hand_ins_were_lost_too() -> None:
    """In the alarm's runs, on its days, and not while another kind alone is missing."""
    unobserved = UnobservedDays()
    unobserved.update(package(100, since=99, runs=["c/r"], kind="forum"))
    unobserved.update(package(120, since=119, runs=["c/r"]))
    unobserved.update(package(130, since=130, runs=["c/r"], kind="submission"))
    for gaps in (unobserved, UnobservedDays(unobserved.as_json())):
        assert gaps.of_run("c/r").days.tolist() == [99, 100, 119, 120, 130]
        assert gaps.of_run("c/r").work.tolist() == [119, 120, 130]
        assert gaps.of_run("d/r").work.tolist() == []
