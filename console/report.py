"""The weekly report of a course run as one self-contained HTML page, to be sent by mail every Monday.

No scripts, no external images, charts as inline SVG; it reads the same in ten years. It shows what changed
within the week; the current state is in the console.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta

from console.models import Course, DecisionCount, EngagementDay, Risk, RiskWeek
from console.pages.rendering import environment
from console.ports import Directory
from console.queries import courses, weeks, wishes
from console.readers import Readers
from console.steps import respect_restrictions
from schemas.errors import HomeroomError

WIDTH, HEIGHT = 640, 140
MAX_LISTED = 30
"""The most learners in a list; a longer mail is not read."""


class ReportError(HomeroomError, ValueError):
    """The week to report on does not exist. The message is one readable line."""


@dataclass(frozen=True, slots=True)
class Trend:
    """A share by day as an SVG's polyline: ``0,140 8,132 …``, and its last value."""

    points: str
    last: float


@dataclass(frozen=True, slots=True)
class Week:
    """The contents of the page; the template reads its attributes."""

    course: Course
    week: int
    days: Sequence[EngagementDay]
    before: EngagementDay | None
    risks: Sequence[RiskWeek]
    rose: Sequence[Risk]
    recovered: Sequence[Risk]
    decisions: Sequence[DecisionCount]
    trends: dict[str, Trend]

    @property
    def last(self) -> EngagementDay:
        """The week's last closed day."""
        return self.days[-1]

    @property
    def left(self) -> int:
        """How many learners left within the week."""
        return sum(day.withdrawn for day in self.days)

    def count(self, decision: str) -> int:
        """How often a decision was made within the week."""
        return sum(
            decision_count.count for decision_count in self.decisions if decision_count.decision == decision
        )


def weekly(readers: Readers, run: str, week: int, directory: Directory | None = None) -> str:
    """The HTML page of a week of a course run; weeks count from 1.

    Raises:
        ReportError: the run is not in the store, or the week has no closed day.
    """
    report = _week(readers, run, week, directory)
    return (
        environment()
        .get_template("report.html")
        .render(report=report, width=WIDTH, height=HEIGHT, most_listed=MAX_LISTED)
    )


def _week(readers: Readers, run: str, week: int, directory: Directory | None) -> Week:
    last_days = courses.last_days(readers)
    story = courses.story(readers, run, max(last_days.values(), default=date.min))
    if story is None:
        names = ", ".join(last_days) or "none yet"
        raise ReportError(f"course run {run!r} is not in the store; there are: {names}")
    first = story.course.first_day + timedelta(days=7 * (week - 1))
    last = first + timedelta(days=6)
    days = [day for day in story.engagement if first <= day.day <= last]
    if not days:
        raise ReportError(f"week {week} of {run} has no closed day; expected 1 to {story.course.week}")
    days_so_far = [day for day in story.engagement if day.day <= last]
    changed_risks = _with_names(readers, weeks.changes(readers, run, first, last), last, directory)
    return Week(
        course=story.course,
        week=week,
        days=days,
        before=next((day for day in reversed(days_so_far) if day.day < first), None),
        risks=[risk_week for risk_week in story.weeks if risk_week.week <= week],
        rose=[risk for risk in changed_risks if risk.level == "high"],
        recovered=[risk for risk in changed_risks if risk.level == "low"],
        decisions=weeks.decisions(readers, run, first, last),
        trends={name: _trend(days_so_far, name) for name in ("active_7", "active")},
    )


def _with_names(
    readers: Readers, risks: Sequence[Risk], last: date, directory: Directory | None
) -> list[Risk]:
    """The risks with the learners' names and restrictions; those made after the week count as well."""
    contacts = wishes.contact_states(readers, (risk.learner for risk in risks))
    end, named = datetime.combine(last + timedelta(days=1), time(), UTC), []
    for risk in risks:
        person = directory.person(risk.learner) if directory else None
        restrictions = (
            wishes.restrictions_of(contacts[risk.learner].consent, end) if risk.learner in contacts else None
        )
        changes = {
            "name": person.name if person else None,
            "unwanted": restrictions,
            "step": respect_restrictions(risk.step, restrictions),
        }
        named.append(risk.model_copy(update=changes))
    return named


def _trend(days: Sequence[EngagementDay], name: str) -> Trend:
    shares = [getattr(day, name) / day.enrolled for day in days if day.enrolled]
    step = WIDTH / max(len(shares) - 1, 1)
    points = " ".join(f"{index * step:.1f},{HEIGHT * (1 - share):.1f}" for index, share in enumerate(shares))
    return Trend(points, shares[-1] if shares else 0.0)
