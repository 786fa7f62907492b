"""The *Engagement* board: who is active, with what, how far courses carry, and who stays.

For administrators and course teams.
"""
# ruff: noqa: S608 - the queries are put together from constants of ours

from grafana_foundation_sdk.models import dashboard as model

from grafana.frame import AT_DAY, DAYS, RUNS, board, courses, events, newest
from grafana.panels import (
    DAILY,
    RUN_PX,
    WIDTH,
    Panel,
    as_heat,
    as_unit,
    bars,
    below,
    coloured,
    hidden,
    lines,
    linked,
    number,
    rows,
    sized,
    steps,
)

UID = "homeroom-engagement"

WEEKS = 12
"""Number of a cohort's weeks that are shown."""

DAILY_ROWS = f"FROM engagement_daily FINAL WHERE {DAYS}"

SESSION_ROWS = f"FROM sessions_daily FINAL WHERE {DAYS}"
A_SESSION = (
    "A session is a row of clock hours with activity in each; a whole idle hour ends it. Sources that know "
    "only the day, such as OULAD, have one a learner and day."
)


def _overview() -> list[Panel]:
    newest_day = f"{DAILY_ROWS} AND day = {newest('engagement_daily')}"
    return [
        number(
            "Enrolled",
            "Enrolments in force at the end of the newest day of the time range.",
            "short",
            f"SELECT sum(enrolled) AS enrolled {newest_day}",
        ),
        number(
            "Active in 7 days",
            "Share of them with any activity in the week that ends with that day. Between 56 % and 83 % is "
            "what the Open University's courses had, falling with the weeks.",
            "percentunit",
            f"SELECT sum(active_7) / sum(enrolled) AS share {newest_day}",
            below(0.4, 0.55),
        ),
        number(
            "Active in 28 days",
            "Share of them with any activity in the four weeks that end with that day. The rest has left, "
            "whether they said so or not, or has not begun.",
            "percentunit",
            f"SELECT sum(active_28) / sum(enrolled) AS share {newest_day}",
            below(0.5, 0.7),
        ),
        number(
            "Days active",
            "How often those who come do come: of the learners active in the week, the share active on the "
            "day, averaged over the last seven days.",
            "percentunit",
            f"""SELECT sum(active) / sum(active_7) AS share
            {DAILY_ROWS} AND day > {newest("engagement_daily")} - 7""",
        ),
        number(
            "New",
            "Enrolments that began within the time range, before the course or late.",
            "short",
            f"SELECT sum(`new`) AS enrolments FROM progress_daily FINAL WHERE {DAYS}",
        ),
        number(
            "Withdrawn",
            "Enrolments that were withdrawn within the time range. Whoever just stops coming is not among "
            "them.",
            "short",
            f"SELECT count() AS enrolments FROM outcomes FINAL WHERE {DAYS} AND outcome = 'withdrawn'",
        ),
    ]


def _activity() -> list[Panel]:
    return [*_use(), *_sessions(), _joined_and_left()]


def _use() -> list[Panel]:
    by_day = f"{DAILY_ROWS} GROUP BY time ORDER BY time"
    return [
        lines(
            "Active learners",
            "On the day, in the 7 and in the 28 days that end with it, beside all enrolments in force. The "
            "day's line swings with the weekday; read the trend from the week's.",
            "short",
            f"""SELECT {AT_DAY}, sum(active) AS daily, sum(active_7) AS weekly, sum(active_28) AS monthly,
            sum(enrolled) AS enrolled
            {by_day}""",
            interval=DAILY,
        ),
        bars(
            "Activity by kind",
            "Clicks by what they were on. Quizzes and submissions peak before deadlines.",
            f"""SELECT {AT_DAY}, kind, sum(clicks) AS Value
            FROM activity_daily FINAL
            WHERE {DAYS}
            GROUP BY time, kind
            ORDER BY time, kind""",
            interval=DAILY,
        ),
        lines(
            "Clicks of an active learner",
            "The mean over those active on the day.",
            "short",
            f"SELECT {AT_DAY}, sum(clicks) / greatest(sum(active), 1) AS clicks {by_day}",
            WIDTH // 4,
            DAILY,
        ),
        lines(
            "Time of an active learner",
            "The mean over those active on the day, where the platform says how long things took.",
            "m",
            f"SELECT {AT_DAY}, sum(minutes) / greatest(sum(active), 1) AS minutes {by_day}",
            WIDTH // 4,
            DAILY,
        ),
    ]


def _sessions() -> list[Panel]:
    return [
        bars(
            "Sessions",
            f"Sessions begun on the day. {A_SESSION}",
            f"SELECT {AT_DAY}, sum(sessions) AS sessions {SESSION_ROWS} GROUP BY time ORDER BY time",
            interval=DAILY,
        ),
        lines(
            "Sessions of a learner",
            "How many an active learner begins a day. Fewer, longer sessions are another habit, not less "
            f"work. {A_SESSION}",
            "short",
            f"""SELECT {AT_DAY}, sum(sessions) / nullIf(sum(learners), 0) AS sessions
            {SESSION_ROWS}
            GROUP BY time
            ORDER BY time""",
            WIDTH // 4,
            DAILY,
        ),
        lines(
            "Length of a session",
            "The clock hours that one takes, and the time in it where the platform says how long things "
            f"took. {A_SESSION}",
            "h",
            f"""SELECT {AT_DAY}, sum(hours) / nullIf(sum(sessions), 0) AS `clock hours`,
            nullIf(sum(seconds), 0) / 3600 / nullIf(sum(sessions), 0) AS `hours active`
            {SESSION_ROWS}
            GROUP BY time
            ORDER BY time""",
            WIDTH // 4,
            DAILY,
        ),
    ]


def _joined_and_left() -> Panel:
    return coloured(
        bars(
            "New and withdrawn",
            "Enrolments that began, and those withdrawn, by day. Many leave in the first two weeks "
            "everywhere.",
            f"""SELECT {AT_DAY}, sum(joined) AS new, sum(left) AS withdrawn
            FROM
            (
                SELECT day, `new` AS joined, 0 AS left FROM progress_daily FINAL WHERE {DAYS}
                UNION ALL
                SELECT day, 0, 1 FROM outcomes FINAL WHERE {DAYS} AND outcome = 'withdrawn'
            )
            GROUP BY time
            ORDER BY time""",
            interval=DAILY,
        ),
        "new",
        "withdrawn",
    )


def _course() -> list[Panel]:
    return [_progress(), _retention(), _runs()]


def _progress() -> Panel:
    at_last = f"""FROM
            (
                SELECT course_run, `partition`, argMax(tuple(enrolled, started, handed_in, half_way,
                passed), day) AS last
                FROM progress_daily FINAL
                WHERE {DAYS}
                GROUP BY course_run, `partition`
            )"""
    return steps(
        "Through the course",
        "Of all who enrolled in the chosen course runs: ever active, handed in one piece of work, half "
        "of all of it, passed. As of each run's last day within the time range.",
        f"""SELECT sum(last.1) AS enrolled, sum(last.2) AS started, sum(last.3) AS `handed in once`,
            sum(last.4) AS `half handed in`, sum(last.5) AS passed
            {at_last}""",
        WIDTH,
    )


def _retention() -> Panel:
    shares = ", ".join(
        f"maxIf(active, week = {week}) / nullIf(maxIf(learners, week = {week}), 0) AS week_{week}"
        for week in range(WEEKS)
    )
    return as_heat(
        sized(
            rows(
                "Who stays",
                "Of the learners first active in one week, the share active in each week after it. Read "
                "along a row for a cohort's fading, down a column for cohorts that do better.",
                f"""SELECT toString(cohort) AS week_of, maxIf(learners, week = 0) AS started, {shares}
                FROM
                (
                    SELECT cohort, week, sum(learners) AS learners, sum(active) AS active
                    FROM retention_weekly FINAL
                    WHERE $__dateFilter(cohort) AND {RUNS} AND week < {WEEKS}
                    GROUP BY cohort, week
                )
                GROUP BY cohort
                ORDER BY cohort""",
            ),
            100,
            "week_of",
        ),
        r"/^week_\d+$/",
    )


def _runs() -> Panel:
    per_run = f"""SELECT course_run, toString(max(starts)) AS starts_on, toString(max(ends)) AS ends_on,
            toUnixTimestamp(toDateTime(ifNull(max(starts), min(day)), 'UTC')) * 1000 AS from_ms,
            toUnixTimestamp(toDateTime(ifNull(max(ends), max(day)) + 1, 'UTC')) * 1000 AS to_ms,
            sumIf(enrolled, day = last) AS enrolments, sumIf(started, day = last) / enrolments AS started,
            sumIf(half_way, day = last) / enrolments AS half_way,
            sumIf(withdrawn, day = last) / enrolments AS withdrawn, sumIf(passed,
            day = last) / enrolments AS passed
            FROM
            (
                SELECT *, max(day) OVER (PARTITION BY course_run) AS last
                FROM progress_daily FINAL
                WHERE {DAYS}
            )
            GROUP BY course_run
            ORDER BY ends_on DESC, course_run
            LIMIT 200"""
    runs = as_unit(
        rows(
            "Course runs",
            "How far each has come within the time range; shares are of all who ever enrolled. A click on "
            "one sets the time range to it.",
            per_run,
        ),
        "percentunit",
        "started",
        "half_way",
        "withdrawn",
        "passed",
    )
    runs = hidden(sized(runs, RUN_PX, "course_run"), "from_ms", "to_ms")
    return linked(
        runs,
        "course_run",
        "Show this run alone",
        f"/d/{UID}?${{datasource:queryparam}}&var-course_run=${{__data.fields.course_run}}"
        "&from=${__data.fields.from_ms}&to=${__data.fields.to_ms}",
    )


def make() -> model.Dashboard:
    """The whole board."""
    return board(
        "Engagement",
        UID,
        "Who is active, with what, how far courses carry, and who stays.",
        {"Overview": _overview, "Activity": _activity, "Course": _course},
        courses(),
        events(),
    )
