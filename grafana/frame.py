"""What every board has around its panels: variables, links to the other boards, annotations, rows.

Boards of results (Risk, Engagement, Interventions, Model, Learner) use event time, in a replay too. The
Pipeline board uses the wall clock.
"""

from collections.abc import Callable, Mapping, Sequence
from itertools import count

from grafana_foundation_sdk.builders import dashboard
from grafana_foundation_sdk.models import dashboard as model

from grafana.clickhouse import PLUGIN, SOURCE, Shape, Sql
from grafana.panels import Panel

TAG = "homeroom"

Section = Callable[[], list[Panel]]
Variable = (
    dashboard.DatasourceVariable
    | dashboard.QueryVariable
    | dashboard.CustomVariable
    | dashboard.TextBoxVariable
)

RUNS = "course_run IN (${course_run:singlequote})"
"""Condition: the selected course runs, or all runs of the selected courses."""

DAYS = f"$__dateFilter(day) AND {RUNS}"
"""Condition: the selected days and course runs of a table with a row a day."""

AT_DAY = "toDateTime(day, 'UTC') AS time"

EVENT_TIME = ("now-1y", "now")
WALL_CLOCK = ("now-1h", "now")


def newest(table: str) -> str:
    """Subquery: the last day with rows within the selection."""
    return f"(SELECT max(day) FROM {table} WHERE {DAYS})"  # noqa: S608 - a table of ours


def source() -> dashboard.DatasourceVariable:
    """Variable: the ClickHouse data source."""
    return dashboard.DatasourceVariable("datasource").label("Data source").type(PLUGIN)


def query(name: str, label: str, sql: str) -> dashboard.QueryVariable:
    """Variable with the values that a query returns; several or all may be selected."""
    return (
        dashboard.QueryVariable(name)
        .label(label)
        .datasource(SOURCE)
        .query(sql)
        .refresh(model.VariableRefresh.ON_TIME_RANGE_CHANGED)
        .sort(model.VariableSort.ALPHABETICAL_ASC)
        .multi(True)
        .include_all(True)
        .current(model.VariableOption(text="All", value="$__all"))
    )


def courses() -> list[Variable]:
    """Variables: course, and its course runs within the time range."""
    in_range = "FROM progress_daily WHERE $__dateFilter(day)"
    of_selected_courses = "$__conditionalAll(course IN (${course:singlequote}), $course)"
    return [
        query("course", "Course (module)", f"SELECT DISTINCT course {in_range} ORDER BY course"),
        query(
            "course_run",
            "Course run",
            f"SELECT DISTINCT course_run {in_range} AND {of_selected_courses} ORDER BY course_run",
        ),
    ]


def annotation(name: str, colour: str, sql: str, *, shown: bool = True) -> dashboard.AnnotationQuery:
    """Marks on every chart, from a query with columns ``time``, ``title``, ``text`` and ``tags``."""
    return (
        dashboard.AnnotationQuery()
        .name(name)
        .datasource(SOURCE)
        .enable(shown)
        .icon_color(colour)
        .target(Sql(sql, Shape.TABLE))
    )


def events() -> list[dashboard.AnnotationQuery]:
    """Annotations, in event time, of what changes estimates and decisions from one day to the next."""
    return [
        annotation(
            "Model learned",
            "purple",
            """SELECT toDateTime(day, 'UTC') AS time, 'The model learned' AS title,
            concat(toString(toUInt64(value - before)), ' examples of runs that ended') AS text,
            'model' AS tags
            FROM
            (
                SELECT day, value, lagInFrame(value, 1, value) OVER (ORDER BY day) AS before
                FROM model_metrics FINAL
                WHERE metric = 'examples' AND $__dateFilter(day)
            )
            WHERE value > before
            ORDER BY time""",
        ),
        annotation(
            "Model drifts or is replaced",
            "purple",
            """SELECT toDateTime(day, 'UTC') AS time,
            replaceAll(splitByChar('/', metric)[2], '_', ' ') AS title,
            replaceRegexpOne(metric, '^event/[^/]*/', '') AS text, 'model' AS tags
            FROM model_metrics FINAL
            WHERE startsWith(metric, 'event/') AND $__dateFilter(day)
            ORDER BY time""",
        ),
        annotation(
            "Source quiet or mad",
            "red",
            """SELECT occurred_at AS time, concat('A source: ', problem) AS title,
            concat(source, ' ', course_run, ' ', kind, ' ', alarm) AS text, 'data quality' AS tags
            FROM data_quality FINAL
            WHERE $__timeFilter(occurred_at)
            ORDER BY time""",
        ),
        annotation(
            "Policy reloaded",
            "orange",
            """SELECT toDateTime(day, 'UTC') AS time, 'A policy came into force' AS title, policy AS text,
            'policy' AS tags
            FROM
            (
                SELECT day, policy, lagInFrame(policy, 1, policy) OVER (ORDER BY day) AS before
                FROM
                (
                    SELECT toDate(decided_at) AS day, argMax(policy_version, decided_at) AS policy
                    FROM nudge_ledger
                    WHERE $__timeFilter(decided_at)
                    GROUP BY day
                )
            )
            WHERE policy != before
            ORDER BY time""",
        ),
    ]


def board(
    title: str,
    uid: str,
    description: str,
    sections: Mapping[str, Section],
    variables: Sequence[Variable],
    annotations: Sequence[dashboard.AnnotationQuery],
    time: tuple[str, str] = EVENT_TIME,
    refresh: str = "5m",
) -> model.Dashboard:
    """A whole board: its sections become rows, the first of them the overview."""
    builder = (
        dashboard.Dashboard(f"homeroom / {title}")
        .uid(uid)
        .description(description)
        .tags([TAG])
        .readonly()
        .time(*time)
        .refresh(refresh)
        .timezone("utc" if time == EVENT_TIME else "browser")
        .tooltip(model.DashboardCursorSync.CROSSHAIR)
        .link(
            dashboard.DashboardLink("homeroom boards")
            .type(model.DashboardLinkType.DASHBOARDS)
            .tags([TAG])
            .as_dropdown(True)
            .include_vars(True)
            .keep_time(time == EVENT_TIME)
        )
    )
    for variable in (source(), *variables):
        builder.with_variable(variable)
    for annotation_query in annotations:
        builder.annotation(annotation_query)
    ids = count(1)  # 0 would make Grafana choose
    for name, section in sections.items():
        builder.with_row(dashboard.Row(name).id(next(ids)))
        for panel in section():
            builder.with_panel(panel.id(next(ids)))
    return builder.build()
