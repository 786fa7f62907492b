"""The *Learner* board: one learner's estimates, activity, risk changes, decisions and outcome.

For whoever wants to know why a decision came about. Instructors have a page of their own in the console.
"""
# ruff: noqa: S608 - the queries are put together from constants of ours

from grafana_foundation_sdk.builders import dashboard, table
from grafana_foundation_sdk.models import dashboard as model

from grafana.frame import AT_DAY, RUNS, annotation, board, events, query
from grafana.panels import (
    DAILY,
    LEARNER_PX,
    LEVEL_COLOURS,
    REASONS,
    RUN_PX,
    TIME_PX,
    WHOLE_DAYS,
    WIDTH,
    Panel,
    as_levels,
    as_unit,
    bars,
    lines,
    linked,
    number,
    rows,
    sized,
    word,
)

UID = "homeroom-learner"

TYPED = "decodeURLComponent('${learner:percentencode}')"
"""The learner typed in. Grafana's own quoting does not escape backslashes, which could end it."""

LEARNER = (
    f"learner IN (SELECT {TYPED} UNION ALL SELECT former_learner FROM former_names WHERE learner = {TYPED})"
)
"""Condition: the learner typed in, or an account that was merged into theirs."""

STORY = f"{RUNS} AND {LEARNER}"

ACTIVE = f"""(
                SELECT course_run, day - back AS active_on, max(one) AS clicked
                FROM risk_history
                ARRAY JOIN clicks AS one, arrayEnumerate(clicks) AS back
                WHERE {STORY} AND one > 0
                GROUP BY course_run, active_on
            )"""
"""The days on which the learner was active: each estimate carries the clicks of the seven days before it."""


def to_learner(panel: table.Panel) -> table.Panel:
    """Link a table's column ``learner`` to this board; the table must have a column ``course_run``, too."""
    return linked(
        sized(sized(panel, LEARNER_PX, "learner"), RUN_PX, "course_run"),
        "learner",
        "This learner's story",
        f"/d/{UID}?${{datasource:queryparam}}&var-learner=${{__data.fields.learner}}"
        "&var-course_run=${__data.fields.course_run}&${__url_time_range}",
    )


def _overview() -> list[Panel]:
    newest = f"FROM risk_now WHERE {STORY} ORDER BY day DESC, course_run LIMIT 1"
    ended = f"SELECT max(day) FROM risk_history WHERE {STORY}"
    return [
        word(
            "Level",
            "The newest level, of the course run estimated last.",
            f"SELECT level {newest}",
            LEVEL_COLOURS,
        ),
        number(
            "P(lost)",
            "The newest estimate: how probable it is that this enrolment ends in a withdrawal or a fail.",
            "percentunit",
            f"SELECT probability {newest}",
        ),
        number(
            "Silent for",
            "Days from the last activity to the newest estimate. After 7 silent days 94 of 100 learners "
            "come back, after 28 still 67.",
            WHOLE_DAYS,
            f"""SELECT dateDiff('day', max(active_on), assumeNotNull(({ended}))) AS days
            FROM {ACTIVE}
            HAVING count() > 0""",
            [(None, "green"), (7, "yellow"), (21, "red")],
        ),
        number(
            "Active days",
            "Days with any activity within the time range.",
            "short",
            f"SELECT count() AS active FROM {ACTIVE} WHERE $__dateFilter(active_on)",
        ),
        number(
            "Risk changes",
            "Confirmed changes of the level within the time range.",
            "short",
            f"""SELECT uniqExact(risk_change_id) AS changes FROM risk_changes
            WHERE $__timeFilter(occurred_at) AND {STORY}""",
        ),
        number(
            "Nudges",
            "Messages that were decided to be sent within the time range.",
            "short",
            f"""SELECT uniqExactIf(decision_id, decision = 'send') AS sent FROM nudge_ledger
            WHERE $__timeFilter(decided_at) AND {STORY}""",
        ),
    ]


def _story() -> list[Panel]:
    return [
        lines(
            "P(lost)",
            "Estimates as they were written: when they had moved by five hundredths, or after a week. Marks"
            " are nudges and what changed the model.",
            "percentunit",
            f"""SELECT {AT_DAY}, course_run, argMax(probability, version) AS Value
            FROM risk_history
            WHERE {STORY} AND $__dateFilter(day)
            GROUP BY time, course_run
            ORDER BY time, course_run""",
            WIDTH,
            DAILY,
        ).axis_soft_max(1),
        bars(
            "Activity",
            "Clicks by day and course run. A day without a bar is a day without activity.",
            f"""SELECT toDateTime(active_on, 'UTC') AS time, course_run, clicked AS Value
            FROM {ACTIVE}
            WHERE $__dateFilter(active_on)
            ORDER BY time, course_run""",
            WIDTH,
            DAILY,
        ),
    ]


def _records() -> list[Panel]:
    changes = rows(
        "What was said",
        "Each confirmed change of the level, with the main reasons: what differs most from the last time; "
        "and, of a rise, what would bring the estimate down, each by itself, and to what.",
        f"""SELECT toString(day) AS on, course_run, previous_level AS was, level AS is,
        probability AS estimate, model_state AS model, {REASONS}
        FROM risk_changes
        WHERE $__timeFilter(occurred_at) AND {STORY}
        ORDER BY day DESC, course_run
        LIMIT 1 BY risk_change_id
        LIMIT 100""",
    )
    changes = sized(sized(changes, 100, "on"), RUN_PX, "course_run")
    return [
        sized(as_unit(as_levels(changes, "was", "is"), "percentunit", "estimate"), 95, "estimate", "model"),
        sized(
            rows(
                "What was decided",
                "The decision on each change, the no with its reason; docs/nudges.md explains them.",
                f"""SELECT decided_at, course_run, decision, reason, campaign, send_at, policy_version
            FROM nudge_ledger
            WHERE $__timeFilter(decided_at) AND {STORY}
            ORDER BY decided_at DESC, course_run
            LIMIT 1 BY decision_id
            LIMIT 100""",
            ),
            TIME_PX,
            "decided_at",
            "send_at",
        ),
        rows(
            "How it ended",
            "What the platform said. Empty while the enrolment goes on.",
            f"""SELECT toString(day) AS on, course_run, outcome, toString(exit_day) AS left_on
            FROM outcomes FINAL
            WHERE {STORY} AND outcome != 'enrolled'
            ORDER BY day""",
        ),
    ]


def _nudges() -> dashboard.AnnotationQuery:
    return annotation(
        "Nudge",
        "blue",
        f"""SELECT coalesce(send_at, decided_at) AS time, 'Nudge' AS title,
        concat(campaign, ', ', reason) AS text, 'nudge' AS tags
        FROM nudge_ledger
        WHERE $__timeFilter(decided_at) AND {STORY} AND decision = 'send'
        ORDER BY time, decision_id
        LIMIT 1 BY decision_id""",
    )


def make() -> model.Dashboard:
    """The whole board."""
    runs = f"SELECT DISTINCT course_run FROM risk_now WHERE {LEARNER} ORDER BY course_run"
    return board(
        "Learner",
        UID,
        "One learner's story. Come here by a click on a learner in the Risk board, or paste a pseudonym "
        "above.",
        {"Now": _overview, "Story": _story, "Said and decided": _records},
        [
            dashboard.TextBoxVariable("learner").label("Learner (pseudonym)").default_value(""),
            query("course_run", "Course run", runs),
        ],
        [_nudges(), *events()],
    )
