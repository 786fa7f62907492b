"""A week of a course run as one HTML page that needs nothing else: to be sent by mail every Monday.

No script, no picture from elsewhere, charts as inline SVG; it reads the same in ten years. It says what
changed within the week; what holds today is the console's business.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta

from console.models import Course, EngagementDay, Held, Risk, RiskWeek
from console.pages.rendering import environment
from console.ports import Directory
from console.queries import courses, weeks, wishes
from console.readers import Readers
from console.steps import welcome
from schemas.errors import HomeroomError

WIDTH, HEIGHT = 640, 140
LISTED = 30
"""Learners a list names; a longer mail is not read."""


class ReportError(HomeroomError, ValueError):
    """There is no such week to report on. The message is one readable line."""


@dataclass(frozen=True, slots=True)
class Trend:
    """A share by day as an SVG's polyline: ``0,140 8,132 …``, and its last value."""

    points: str
    last: float


@dataclass(frozen=True, slots=True)
class Week:
    """Everything that the page says."""

    course: Course
    week: int
    days: Sequence[EngagementDay]
    before: EngagementDay | None
    risks: Sequence[RiskWeek]
    rose: Sequence[Risk]
    recovered: Sequence[Risk]
    decisions: Sequence[Held]
    trends: dict[str, Trend]

    @property
    def last(self) -> EngagementDay:
        """The week's last closed day."""
        return self.days[-1]

    @property
    def left(self) -> int:
        """Who left within the week."""
        return sum(one.withdrawn for one in self.days)

    def count(self, decision: str) -> int:
        """How often a decision was made within the week."""
        return sum(one.count for one in self.decisions if one.decision == decision)


def weekly(readers: Readers, run: str, week: int, directory: Directory | None = None) -> str:
    """The page of a week of a course run, weeks counted from 1. Raises ``ReportError``."""
    found = _week(readers, run, week, directory)
    return (
        environment()
        .get_template("report.html")
        .render(report=found, width=WIDTH, height=HEIGHT, most_listed=LISTED)
    )


def _week(readers: Readers, run: str, week: int, directory: Directory | None) -> Week:
    known_runs = courses.last_days(readers)
    story = courses.story(readers, run, max(known_runs.values(), default=date.min))
    if story is None:
        known = ", ".join(known_runs) or "none yet"
        raise ReportError(f"course run {run!r} is not in the store; there are: {known}")
    first = story.course.first_day + timedelta(days=7 * (week - 1))
    last = first + timedelta(days=6)
    days = [one for one in story.engagement if first <= one.day <= last]
    if not days:
        raise ReportError(f"week {week} of {run} has no closed day; expected 1 to {story.course.week}")
    so_far = [one for one in story.engagement if one.day <= last]
    changed = _named(readers, weeks.changes(readers, run, first, last), last, directory)
    return Week(
        course=story.course,
        week=week,
        days=days,
        before=next((one for one in reversed(so_far) if one.day < first), None),
        risks=[one for one in story.weeks if one.week <= week],
        rose=[one for one in changed if one.level == "high"],
        recovered=[one for one in changed if one.level == "low"],
        decisions=weeks.decisions(readers, run, first, last),
        trends={name: _trend(so_far, name) for name in ("active_7", "active")},
    )


def _named(readers: Readers, risks: Sequence[Risk], last: date, directory: Directory | None) -> list[Risk]:
    """With names and with what the learners do not want: a *no* of after the week counts as well."""
    known = wishes.known(readers, (risk.learner for risk in risks))
    end, found = datetime.combine(last + timedelta(days=1), time(), UTC), []
    for risk in risks:
        person = directory.person(risk.learner) if directory else None
        no = wishes.unwanted(known[risk.learner].consent, end) if risk.learner in known else None
        changes = {"name": person.name if person else None, "unwanted": no, "step": welcome(risk.step, no)}
        found.append(risk.model_copy(update=changes))
    return found


def _trend(days: Sequence[EngagementDay], name: str) -> Trend:
    shares = [getattr(one, name) / one.enrolled for one in days if one.enrolled]
    step = WIDTH / max(len(shares) - 1, 1)
    points = " ".join(f"{place * step:.1f},{HEIGHT * (1 - share):.1f}" for place, share in enumerate(shares))
    return Trend(points, shares[-1] if shares else 0.0)
