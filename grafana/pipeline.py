"""The *Pipeline* board: is every event applied, how late, what failed, and what came of it.

For whoever runs homeroom. Its time axis is the wall clock: rows of results are placed at the moment
they were written, not at the event time that they speak of, so that a replay of an old term shows too.
"""
# ruff: noqa: S608 - the queries are put together from constants of this file

from itertools import count

from grafana_foundation_sdk.builders import dashboard, stat, table, timeseries
from grafana_foundation_sdk.models import dashboard as model

from grafana.clickhouse import PLUGIN, SOURCE
from grafana.panels import WIDTH, bars, lines, number, rows

UID = "homeroom-pipeline"

Panel = stat.Panel | timeseries.Panel | table.Panel

CHOSEN = "$__conditionalAll(worker IN (${worker:singlequote}), $worker)"
"""The workers that the reader chose."""

GREEN_TO_RED = "green", "yellow", "red"


def _steps(yellow: float, red: float) -> list[tuple[float | None, str]]:
    return list(zip((None, yellow, red), GREEN_TO_RED, strict=True))


def _overview() -> list[Panel]:
    newest = f"FROM pipeline_health WHERE $__timeFilter(at) AND {CHOSEN} GROUP BY partition"
    return [
        number(
            "Throughput",
            "Events applied a second, over the last minute of the time range.",
            "eps",
            f"""SELECT sum(events) / 60 AS events
            FROM pipeline_health
            WHERE at > $__toTime - 60 AND at <= $__toTime AND {CHOSEN}""",
        ),
        number(
            "Lag",
            "Records that wait in Kafka, all partitions together. Rising for minutes: add workers, or see "
            "whether the store holds the pipeline back.",
            "short",
            f"SELECT sum(newest) AS lag FROM (SELECT argMax(lag, at) AS newest {newest})",
            _steps(10_000, 100_000),
        ),
        number(
            "Watermark age",
            "How far the slowest partition's event time is behind the clock. Live, about the allowed "
            "lateness; in a replay, the age of what is replayed.",
            "s",
            f"""SELECT max(age) AS age
            FROM (SELECT dateDiff('second', argMax(watermark, at), max(at)) AS age {newest})""",
        ),
        number(
            "Dead letters",
            "Records that could not be applied, in the time range. Payloads are on the dead-letter topic.",
            "short",
            """SELECT uniqExact(topic, `partition`, `offset`) AS dead_letters
            FROM dead_letters
            WHERE $__timeFilter(received_at)""",
            _steps(1, 100),
        ),
        number(
            "Raised to high",
            "Risk changes to the level high, written in the time range.",
            "short",
            """SELECT uniqExactIf(risk_change_id, level = 'high') AS raised
            FROM risk_changes
            WHERE $__timeFilter(ingested_at)""",
        ),
        number(
            "Nudges sent",
            "Decisions to send, written in the time range. Those held back are below, with their reasons.",
            "short",
            """SELECT uniqExactIf(decision_id, decision = 'send') AS sent
            FROM nudge_ledger
            WHERE $__timeFilter(ingested_at)""",
        ),
    ]


def _flow() -> list[Panel]:
    by_partition = f"""FROM pipeline_health
            WHERE $__timeFilter(at) AND {CHOSEN}
            GROUP BY time, partition_name
            ORDER BY time"""
    name = "concat('partition ', toString(`partition`)) AS partition_name"
    return [
        lines(
            "Events applied",
            "A second, by worker. A worker whose line ends has died or lost its partitions.",
            "eps",
            f"""SELECT $__timeInterval(at) AS time, worker, sum(events) / $__interval_s AS events
            FROM pipeline_health
            WHERE $__timeFilter(at) AND {CHOSEN}
            GROUP BY time, worker
            ORDER BY time""",
        ),
        lines(
            "Lag by partition",
            "Records that wait in Kafka. One partition above the others: a learner or a course that sends "
            "far more than the rest, or a worker that is stuck.",
            "short",
            f"SELECT $__timeInterval(at) AS time, {name}, max(lag) AS lag {by_partition}",
        ),
        lines(
            "Watermark age by partition",
            "Clock less watermark. All partitions wait for the slowest at every day's end.",
            "s",
            f"""SELECT $__timeInterval(at) AS time, {name}, max(dateDiff('second', watermark, at)) AS age
            {by_partition}""",
        ),
        lines(
            "Time to apply and to flush",
            "Means. Apply: a fetched batch into the state. Flush: a checkpoint, that is outputs to Kafka, "
            "rows to the store, then state rows. A slow store shows here first.",
            "ms",
            f"""SELECT $__timeInterval(at) AS time, avgWeighted(apply_ms, batches + 1) AS apply,
            avg(flush_ms) AS flush
            FROM pipeline_health
            WHERE $__timeFilter(at) AND {CHOSEN}
            GROUP BY time
            ORDER BY time""",
        ),
    ]


def _outcomes() -> list[Panel]:
    return [
        bars(
            "Risk changes by level",
            "Confirmed transitions by the level they lead to, when they were written.",
            """SELECT $__timeInterval(ingested_at) AS time, level, uniqExact(risk_change_id) AS changes
            FROM risk_changes
            WHERE $__timeFilter(ingested_at)
            GROUP BY time, level
            ORDER BY time""",
        ),
        bars(
            "Nudges sent and held back",
            "Every risk change ends in a decision: sent, or held back for a reason.",
            """SELECT $__timeInterval(ingested_at) AS time,
            if(decision = 'send', 'sent', concat('held: ', reason)) AS outcome,
            uniqExact(decision_id) AS decisions
            FROM nudge_ledger
            WHERE $__timeFilter(ingested_at)
            GROUP BY time, outcome
            ORDER BY time""",
        ),
    ]


def _failures() -> list[Panel]:
    return [
        bars(
            "Dead letters by reason",
            "A step in one reason after a release of the platform: it sends something new.",
            """SELECT $__timeInterval(received_at) AS time, reason,
            uniqExact(topic, `partition`, `offset`) AS letters
            FROM dead_letters
            WHERE $__timeFilter(received_at)
            GROUP BY time, reason
            ORDER BY time""",
            WIDTH // 3,
        ),
        rows(
            "Newest dead letters",
            "What was found and what was expected. Topic, partition and offset lead to the record itself.",
            """SELECT DISTINCT received_at, reason, field, detail, topic, `partition`, `offset`
            FROM dead_letters
            WHERE $__timeFilter(received_at)
            ORDER BY received_at DESC
            LIMIT 50""",
            WIDTH * 2 // 3,
        ),
        rows(
            "Partitions",
            "Where each partition stands, by its last row in the time range.",
            f"""SELECT `partition`, argMax(worker, at) AS held_by, max(at) AS seen,
            argMax(applied_offset, at) AS applied_offset, argMax(lag, at) AS lag,
            argMax(watermark, at) AS watermark, argMax(enrolments, at) AS enrolments,
            sum(events) AS events_in_range, sum(state_rows) AS state_rows_in_range,
            max(batch_records) AS largest_batch
            FROM pipeline_health
            WHERE $__timeFilter(at) AND {CHOSEN}
            GROUP BY `partition`
            ORDER BY `partition`""",
        ),
    ]


SECTIONS = {"Overview": _overview, "Flow": _flow, "What came of it": _outcomes, "What failed": _failures}


def _variables() -> list[dashboard.DatasourceVariable | dashboard.QueryVariable]:
    return [
        dashboard.DatasourceVariable("datasource").label("Data source").type(PLUGIN),
        dashboard.QueryVariable("worker")
        .label("Worker")
        .datasource(SOURCE)
        .query("SELECT DISTINCT worker FROM pipeline_health ORDER BY worker")
        .refresh(model.VariableRefresh.ON_TIME_RANGE_CHANGED)
        .sort(model.VariableSort.ALPHABETICAL_ASC)
        .multi(True)
        .include_all(True)
        .current(model.VariableOption(text="All", value="$__all")),
    ]


def board() -> model.Dashboard:
    """The whole board."""
    whole = (
        dashboard.Dashboard("homeroom / Pipeline")
        .uid(UID)
        .description("From Kafka to risk changes and nudges: throughput, lag, failures, outcomes.")
        .tags(["homeroom"])
        .readonly()
        .time("now-1h", "now")
        .refresh("10s")
        .timezone("browser")
        .tooltip(model.DashboardCursorSync.CROSSHAIR)
    )
    for variable in _variables():
        whole.with_variable(variable)
    ids = count(1)  # 0 would make Grafana choose
    for title, section in SECTIONS.items():
        whole.with_row(dashboard.Row(title).id(next(ids)))
        for panel in section():
            whole.with_panel(panel.id(next(ids)))
    return whole.build()
