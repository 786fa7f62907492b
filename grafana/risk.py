"""The *Risk* board: how many are at risk, where, who moved and why, and how early it was known.

For whoever is responsible for courses. Learners are pseudonyms here as everywhere in the store.
"""
# ruff: noqa: S608 - the queries are put together from constants of ours

from grafana_foundation_sdk.builders import dashboard
from grafana_foundation_sdk.models import dashboard as model

from grafana.frame import AT_DAY, DAYS, RUNS, Variable, board, courses, events, newest
from grafana.learner import to_learner
from grafana.panels import (
    DAILY,
    LEVEL_COLOURS,
    REASONS,
    WHOLE_DAYS,
    WIDTH,
    Panel,
    above,
    as_levels,
    as_unit,
    bars,
    below,
    coloured,
    heat,
    lines,
    number,
    rows,
    sized,
)

UID = "homeroom-risk"

ALL = "low + medium + high"
LEVELS = "level IN (${level:singlequote})"

EXITS = f"""WITH
raises AS
(
    SELECT course_run, learner, min(day) AS first
    FROM risk_changes
    WHERE level = 'high' AND occurred_at <= $__toTime AND {RUNS}
    GROUP BY course_run, learner
),
exits AS
(
    SELECT course_run, learner, assumeNotNull(exit_day) AS day, outcome,
    if(raises.first = toDate(0), NULL, dateDiff('day', raises.first, assumeNotNull(exit_day))) AS lead
    FROM (SELECT * FROM outcomes FINAL WHERE exit_day IS NOT NULL AND $__dateFilter(exit_day)
    AND {RUNS}) AS gone
    LEFT JOIN raises USING (course_run, learner)
)"""
"""Learners who left in the time range, and the days since their first rise to high; NULL without one."""


def _overview() -> list[Panel]:
    newest_day = f"FROM risk_daily FINAL WHERE {DAYS} AND day = {newest('risk_daily')}"
    return [
        number(
            "Learners estimated",
            "Enrolments that got an estimate on the newest day of the time range.",
            "short",
            f"SELECT sum({ALL}) AS enrolments {newest_day}",
        ),
        number(
            "At high risk",
            "Share of them at the level high. Above 30 % nobody can write to them all: look at the model, "
            "or at what happened in the courses, before at the learners.",
            "percentunit",
            f"SELECT sum(high) / sum({ALL}) AS share {newest_day}",
            above(0.2, 0.3),
        ),
        number(
            "Expected to be lost",
            "The mean estimate: of 100 learners in force, so many would withdraw or fail if nothing changed.",
            "percentunit",
            f"SELECT sum(expected_lost) / sum({ALL}) AS share {newest_day}",
        ),
        number(
            "Raised to high",
            "Confirmed rises to the level high within the time range.",
            "short",
            f"SELECT sum(raised) AS raised FROM risk_daily FINAL WHERE {DAYS}",
        ),
        number(
            "Warming up",
            "Share of the newest estimates that rest on the recency prior, because no course run has ended "
            "yet from which the model could have learned. Such learners get no nudge.",
            "percentunit",
            f"SELECT sumIf({ALL}, model_state = 'warming_up') / sum({ALL}) AS share {newest_day}",
            above(0.01, 0.5),
        ),
        number(
            "Lead time",
            "Median days from the first rise to high to the exit, of those who left within the time range "
            "and had been raised before. Below 14 there is little time to reach anybody.",
            WHOLE_DAYS,
            f"{EXITS}\nSELECT quantileExactIf(0.5)(lead, lead >= 0) AS days FROM exits",
            below(7, 14),
        ),
    ]


def _levels_by_run() -> list[Panel]:
    largest = (
        f"course_run IN (SELECT course_run FROM risk_daily WHERE {DAYS} GROUP BY course_run "
        f"ORDER BY sum({ALL}) DESC LIMIT 30)"
    )
    return [
        coloured(
            bars(
                "Levels",
                "Learners in force by level. A step on one day in all courses comes of the model or the "
                "data, not of the learners; see the marks.",
                f"""SELECT {AT_DAY}, sum(low) AS low, sum(medium) AS medium, sum(high) AS high
                FROM risk_daily FINAL
                WHERE {DAYS}
                GROUP BY time
                ORDER BY time""",
                interval=DAILY,
            ),
            *LEVEL_COLOURS,
        ),
        coloured(
            lines(
                "Rises and falls",
                "Confirmed changes to high and from high. Hysteresis keeps learners at a bound from going to "
                "and fro.",
                "short",
                f"""SELECT {AT_DAY}, sum(raised) AS `to high`, sum(lowered) AS `from high`
            FROM risk_daily FINAL
            WHERE {DAYS}
            GROUP BY time
            ORDER BY time""",
                interval=DAILY,
            ),
            "to high",
            "from high",
        ),
        heat(
            "Risk by course run and week",
            "Mean estimate of everybody in force; the 30 largest of the chosen course runs. Red from the "
            "first week: many never started. Turning red at one week: look at what was due then.",
            f"""SELECT toDateTime(toStartOfWeek(day, 1), 'UTC') AS time, course_run,
            sum(expected_lost) / sum({ALL}) AS Value
            FROM risk_daily FINAL
            WHERE {DAYS} AND {largest}
            GROUP BY time, course_run
            ORDER BY time, course_run""",
        ),
    ]


def _learners() -> list[Panel]:
    movers = rows(
        "Movers of the day",
        "Risk changes of the newest day that has any, the largest first, with the main reasons: what "
        "differs most from the last estimate that was told; and, of a rise, what would bring the estimate "
        "down, each by itself, and to what. A click on a learner leads to the learner's story.",
        f"""SELECT learner, course_run, previous_level AS was, level AS is, previous_probability AS before,
        probability AS now, {REASONS}
        FROM risk_changes
        WHERE {RUNS} AND {LEVELS}
        AND occurred_at =
        (SELECT max(occurred_at) FROM risk_changes WHERE $__timeFilter(occurred_at) AND {RUNS})
        ORDER BY abs(now - before) DESC, learner, course_run
        LIMIT 1 BY risk_change_id
        LIMIT 50""",
        height=10,
    )
    highest = rows(
        "Highest risk now",
        "The newest estimates of those estimated within the week that ends the time range. Not the order in"
        " which to write to people: many at the top left long ago.",
        f"""SELECT learner, course_run, level AS is, probability AS now,
        exit_probability AS leaves_in_3_weeks, toString(day) AS estimated_on,
        model_state AS model
        FROM risk_now
        WHERE {RUNS} AND {LEVELS} AND day > {newest("risk_daily")} - 8
        ORDER BY probability DESC, learner, course_run
        LIMIT 50""",
        height=10,
    )
    movers = as_unit(as_levels(movers, "was", "is"), "percentunit", "before", "now")
    highest = as_unit(as_levels(highest, "is"), "percentunit", "now", "leaves_in_3_weeks")
    return [to_learner(sized(movers, 70, "before", "now")), to_learner(highest)]


def _lead_times() -> list[Panel]:
    exits = rows(
        "Recent exits",
        "Who left, and how many days before that the level had first become high; empty where it never had.",
        f"""{EXITS}
        SELECT learner, course_run, toString(day) AS left_on, outcome, lead AS days_ahead
        FROM exits
        ORDER BY day DESC, learner, course_run
        LIMIT 50""",
        WIDTH // 2,
    )
    return [
        coloured(
            bars(
                "Exits by lead time of the alert",
                "Withdrawals on their day, and silent fails on the day after their last activity (these are"
                " known only when the run has ended). An alert 14 days ahead is what homeroom is for.",
                f"""{EXITS}
                SELECT toDateTime(toStartOfWeek(day, 1), 'UTC') AS time,
                countIf(lead >= 14) AS `14 days and more`,
                countIf(lead >= 1 AND lead < 14) AS `1 to 13 days`, countIf(lead < 1) AS `when gone`,
                countIf(lead IS NULL) AS never
                FROM exits
                GROUP BY time
                ORDER BY time""",
                interval="7d",
            ),
            "14 days and more",
            "1 to 13 days",
            "when gone",
            "never",
        ),
        to_learner(sized(exits, 100, "left_on")),
    ]


def _levels() -> dashboard.CustomVariable:
    return (
        dashboard.CustomVariable("level")
        .label("Level")
        .values("high,medium,low")
        .multi(True)
        .include_all(True)
        .current(model.VariableOption(text="All", value="$__all"))
    )


def make() -> model.Dashboard:
    """The whole board."""
    variables: list[Variable] = [*courses(), _levels()]
    return board(
        "Risk",
        UID,
        "How many learners are at risk, where, who moved and why, and how early it was known.",
        {"Overview": _overview, "Where": _levels_by_run, "Who": _learners, "How early": _lead_times},
        variables,
        events(),
    )
