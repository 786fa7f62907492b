"""Days that were not seen in full, and how long rises wait after them."""

from schemas.learning import DayPackage, ModelSnapshot
from schemas.quality import DayQuality, QualityVerdict
from streams.unseen import Unseen


def package(day: int, *, since: int, runs: list[str]) -> DayPackage:
    verdict = QualityVerdict(
        source="web",
        course_run=None,
        kind=None,
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
    unseen = Unseen()
    for day in (102, 103):
        unseen.note(package(day, since=100, runs=["c/r"]))
    unseen.note(package(110, since=110, runs=["c/r", "d/r"]))
    assert unseen.of("c/r").tolist() == [100, 101, 102, 103, 110]
    assert Unseen(unseen.stored()).of("c/r").tolist() == unseen.of("c/r").tolist()
    unseen.forget("c/r")
    assert unseen.of("c/r").tolist() == []
    assert unseen.of("d/r").tolist() == [110]
