"""Queries of course runs: the list, their state today, and their history by week."""

from collections import Counter, defaultdict
from collections.abc import Mapping
from datetime import date, timedelta

from console.models import Course, CourseStory, EngagementDay, RiskWeek
from console.readers import Readers
from schemas.risk import RISK_LEVELS

STILL_ON_DAYS = 2
"""A run whose newest day is further behind the store's newest than this is over."""

IN_FORCE_DAYS = 8
"""Estimates are stored when they change and at least weekly: an older one is of a learner who left."""

LAST_DAYS = "SELECT course_run, max(day) AS day FROM engagement_daily GROUP BY course_run ORDER BY course_run"

OVERVIEW = """
SELECT course_run, min(day) AS first_day, max(day) AS last_day,
       argMax(learners, day) AS enrolled, argMax(active, day) AS active_7
FROM
(
    SELECT course_run, day, sum(enrolled) AS learners, sum(active_7) AS active
    FROM engagement_daily FINAL
    WHERE course_run IN %(runs)s
    GROUP BY course_run, day
)
GROUP BY course_run
ORDER BY course_run
"""

LEVELS = """
SELECT course_run, level, day, gone, count() AS learners
FROM risk_now
WHERE course_run IN %(runs)s
GROUP BY course_run, level, day, gone
"""

ENGAGEMENT = """
SELECT day, sum(enrolled) AS enrolled, sum(active) AS active, sum(active_7) AS active_7,
       sum(clicks) AS clicks, sum(new) AS new, sum(withdrawn) AS withdrawn
FROM engagement_daily FINAL
WHERE course_run = %(run)s
GROUP BY day
ORDER BY day
"""

WEEKS = """
SELECT week, fifth, count() AS learners
FROM
(
    SELECT learner, intDiv(dateDiff('day', toDate(%(first)s), day) - 1, 7) + 1 AS week,
           least(toUInt8(argMax(probability, (day, version)) * 5), 4) AS fifth
    FROM risk_history
    WHERE course_run = %(run)s AND day > toDate(%(first)s) AND day <= toDate(%(last)s)
    GROUP BY learner, week
)
GROUP BY week, fifth
ORDER BY week, fifth
"""


NOW = """
SELECT least(toUInt8(probability * 5), 4) AS fifth, count() AS learners
FROM risk_now
WHERE course_run = %(run)s AND day > toDate(%(since)s) AND NOT gone
GROUP BY fifth
"""


def last_days(readers: Readers) -> dict[str, date]:
    """Every course run in the store → its newest closed day."""
    return {row["course_run"]: row["day"] for row in readers.rows(LAST_DAYS)}


def is_over(last_day: date, newest: date) -> bool:
    """Whether a run whose newest day is ``last_day`` has ended by the store's newest day."""
    return last_day < newest - timedelta(days=STILL_ON_DAYS)


def overview(readers: Readers, runs: tuple[str, ...], newest: date) -> list[Course]:
    """Each run's state on the store's newest day; running ones first, by name."""
    if not runs:
        return []
    rows = readers.rows(OVERVIEW, {"runs": runs})
    learners = _levels(readers, {row["course_run"]: row["last_day"] for row in rows}, newest)
    overviews = []
    for row in rows:
        levels = {level: learners[row["course_run"], level] for level in RISK_LEVELS}
        overviews.append(
            Course(
                course_run=row["course_run"],
                first_day=row["first_day"],
                last_day=row["last_day"],
                week=(row["last_day"] - row["first_day"]).days // 7 + 1,
                over=is_over(row["last_day"], newest),
                enrolled=row["enrolled"],
                active_7=row["active_7"],
                low=levels["low"],
                medium=levels["medium"],
                high=levels["high"],
            )
        )
    return sorted(overviews, key=lambda course: (course.over, course.course_run))


def in_force_since(last_day: date) -> date:
    """The day after which every enrolment in force after ``last_day`` has an estimate."""
    return last_day + timedelta(days=1 - IN_FORCE_DAYS)


def _levels(readers: Readers, last_days: Mapping[str, date], newest: date) -> Counter[tuple[str, str]]:
    """(course run, level) → enrolments in force on the run's newest day, or at its end if it is over."""
    counts: Counter[tuple[str, str]] = Counter()
    for row in readers.rows(LEVELS, {"runs": tuple(last_days)}):
        last_day = last_days[row["course_run"]]
        if row["day"] > in_force_since(last_day) and (not row["gone"] or is_over(last_day, newest)):
            counts[row["course_run"], row["level"]] += row["learners"]
    return counts


def story(readers: Readers, run: str, newest: date) -> CourseStory | None:
    """A run from its start; None where it is not in the store."""
    courses = overview(readers, (run,), newest)
    if not courses:
        return None
    engagement = [EngagementDay(**row) for row in readers.rows(ENGAGEMENT, {"run": run})]
    return CourseStory(course=courses[0], engagement=engagement, weeks=_weeks(readers, courses[0]))


def _weeks(readers: Readers, course: Course) -> list[RiskWeek]:
    """Each past week by its last estimates, and the current one by those in force now."""
    run, first = course.course_run, course.first_day
    done = (course.last_day - first).days // 7 if not course.over else course.week
    fifths: dict[int, list[int]] = defaultdict(lambda: [0] * 5)
    last = first + timedelta(days=7 * done)
    for row in readers.rows(WEEKS, {"run": run, "first": first, "last": last}):
        fifths[row["week"]][row["fifth"]] = row["learners"]
    if not course.over:
        for row in readers.rows(NOW, {"run": run, "since": in_force_since(course.last_day)}):
            fifths[done + 1][row["fifth"]] = row["learners"]
    return [
        RiskWeek(week=week, starts_on=first + timedelta(days=7 * (week - 1)), fifths=counts)
        for week, counts in sorted(fifths.items())
    ]
