"""The *Pipeline* board: is every event applied, how late, what failed, and what came of it.

For whoever runs homeroom. Its time axis is the wall clock: rows of results are placed at the moment
they were written, not at the event time that they speak of, so that a replay of an old term shows too.
"""
# ruff: noqa: S608 - the queries are put together from constants of this file

from grafana_foundation_sdk.builders import dashboard
from grafana_foundation_sdk.models import dashboard as model

from grafana import records
from grafana.frame import WALL_CLOCK, Variable, annotation, board, query
from grafana.panels import (
    LEVEL_COLOURS,
    MOMENT_PX,
    WIDTH,
    Panel,
    above,
    bars,
    coloured,
    lines,
    number,
    rows,
    sized,
)

UID = "homeroom-pipeline"

ROW_BYTES = 1413
"""Bytes of an enrolment in the state; a test holds it to ``engine.state.row_layout``."""

NEWEST_ROW = "(at, pipeline_health.applied_offset, pipeline_health.watermark, pipeline_health.lag)"
"""Sort key of a partition's newest row, where two were written within a second."""

SELECTED_WORKERS = "$__conditionalAll(worker IN (${worker:singlequote}), $worker)"
"""Condition: the selected workers."""


BY_PARTITION = f"""FROM pipeline_health
            WHERE $__timeFilter(at) AND {SELECTED_WORKERS}
            GROUP BY time, partition_name
            ORDER BY time"""
IN_ALL = f"FROM pipeline_health WHERE $__timeFilter(at) AND {SELECTED_WORKERS} GROUP BY time ORDER BY time"
SERIES = "concat('partition ', toString(`partition`)) AS partition_name"


def _overview() -> list[Panel]:
    newest = f"FROM pipeline_health WHERE $__timeFilter(at) AND {SELECTED_WORKERS} GROUP BY partition"
    return [
        number(
            "Throughput",
            "Events applied a second, over the last minute of the time range.",
            "eps",
            f"""SELECT sum(events) / 60 AS events
            FROM pipeline_health
            WHERE at > $__toTime - 60 AND at <= $__toTime AND {SELECTED_WORKERS}""",
        ),
        number(
            "Lag",
            "Records that wait in Kafka, all partitions together. Rising for minutes: add workers, or see "
            "whether the store holds the pipeline back.",
            "short",
            f"SELECT sum(newest) AS lag FROM (SELECT argMax(lag, {NEWEST_ROW}) AS newest {newest})",
            above(10_000, 100_000),
        ),
        number(
            "Watermark age",
            "How far the slowest partition's event time is behind the clock. Live, about the allowed "
            "lateness; in a replay, the age of what is replayed.",
            "s",
            f"""SELECT max(age) AS age
            FROM (SELECT dateDiff('second', argMax(watermark, {NEWEST_ROW}), max(at)) AS age {newest})""",
        ),
        number(
            "Dead letters",
            "Records that could not be applied, in the time range. Payloads are on the dead-letter topic.",
            "short",
            """SELECT uniqExact(topic, `partition`, `offset`) AS dead_letters
            FROM dead_letters
            WHERE $__timeFilter(received_at)""",
            above(1, 100),
        ),
        number(
            "Raised to high",
            "Risk changes to the level high, written in the time range.",
            "short",
            """SELECT count() AS raised
            FROM first_written FINAL
            WHERE kind = 'risk_change' AND label = 'high' AND $__timeFilter(ingested_at)""",
        ),
        number(
            "Nudges sent",
            "Decisions to send, written in the time range. Those held back are below, with their reasons.",
            "short",
            """SELECT count() AS sent
            FROM first_written FINAL
            WHERE kind = 'decision' AND label = 'sent' AND $__timeFilter(ingested_at)""",
        ),
    ]


def _flow() -> list[Panel]:
    return [*_reading(), *_checkpoints()]


def _reading() -> list[Panel]:
    return [
        lines(
            "Events applied",
            "A second, by worker. A worker whose line ends has died or lost its partitions.",
            "eps",
            f"""SELECT $__timeInterval(at) AS time, worker, sum(events) / $__interval_s AS Value
            FROM pipeline_health
            WHERE $__timeFilter(at) AND {SELECTED_WORKERS}
            GROUP BY time, worker
            ORDER BY time""",
        ),
        lines(
            "Lag by partition",
            "Records that wait in Kafka. One partition above the others: a learner or a course that sends "
            "far more than the rest, or a worker that is stuck.",
            "short",
            f"SELECT $__timeInterval(at) AS time, {SERIES}, max(lag) AS Value {BY_PARTITION}",
        ),
        lines(
            "Watermark age by partition",
            "Clock less watermark. All partitions wait for the slowest at every day's end.",
            "s",
            f"""SELECT $__timeInterval(at) AS time, {SERIES}, max(dateDiff('second', watermark, at)) AS Value
            {BY_PARTITION}""",
        ),
        lines(
            "Time to apply a batch",
            "Mean time from a fetched batch to the state. It grows with the batch; see its size beside.",
            "ms",
            f"""SELECT $__timeInterval(at) AS time, avgWeighted(apply_ms, batches + 1) AS apply
            {IN_ALL}""",
            WIDTH // 4,
        ),
        lines(
            "Records a batch",
            "The largest batch of each interval. At the limit of the settings all the time: there is a "
            "backlog.",
            "short",
            f"SELECT $__timeInterval(at) AS time, max(batch_records) AS largest {IN_ALL}",
            WIDTH // 4,
        ),
    ]


def _checkpoints() -> list[Panel]:
    return [
        lines(
            "Time of a checkpoint by stage",
            "Outputs go to their topics, rows to the store, state rows to theirs; only then are offsets "
            "committed. A store that is slow, or away, holds the pipeline back and shows here first.",
            "ms",
            f"""SELECT $__timeInterval(at) AS time, avg(outputs_ms) AS outputs, avg(store_ms) AS store,
            avg(state_ms) AS state
            {IN_ALL}""",
        ),
        lines(
            "Time to commit",
            "For how long the oldest batch had waited for the commit of its offsets, as a checkpoint ended. "
            "It follows the checkpoints' pace; where it only grows, see HomeroomCommittedOffsetStuck.",
            "s",
            f"SELECT $__timeInterval(at) AS time, {SERIES}, max(uncommitted_s) AS Value {BY_PARTITION}",
        ),
        lines(
            "State size",
            "What the rows of the enrolments held take, in memory and again in the state topic; the trails "
            "of the suggestions come on top, about a fifth. Grows until course runs have ended.",
            "bytes",
            f"""SELECT $__timeInterval(at) AS time, {SERIES}, max(enrolments) * {ROW_BYTES} AS Value
            {BY_PARTITION}""",
            WIDTH // 4,
        ),
        lines(
            "Enrolments held",
            "Learners times course runs, those that have ended lately included.",
            "short",
            f"""SELECT $__timeInterval(at) AS time, {SERIES}, max(enrolments) AS Value
            {BY_PARTITION}""",
            WIDTH // 4,
        ),
        lines(
            "State rows written",
            "Enrolments that changed between checkpoints; all of them when a day closes.",
            "short",
            f"SELECT $__timeInterval(at) AS time, sum(state_rows) AS written {IN_ALL}",
            WIDTH // 4,
        ),
        lines(
            "Back-pressure: records waiting",
            "Taken in, and behind the end of a day that waits for its package, or for the store. Flat at the "
            "limit: fetching has stopped until something gives way.",
            "short",
            f"""SELECT $__timeInterval(at) AS time, {SERIES}, max(waiting) AS Value
            {BY_PARTITION}""",
            WIDTH // 4,
        ),
    ]


def _outcomes() -> list[Panel]:
    return [
        coloured(
            bars(
                "Risk changes by level",
                "Confirmed transitions by the level they lead to, when they were written.",
                """SELECT $__timeInterval(ingested_at) AS time, countIf(label = 'low') AS low,
            countIf(label = 'medium') AS medium, countIf(label = 'high') AS high
            FROM first_written FINAL
            WHERE kind = 'risk_change' AND $__timeFilter(ingested_at)
            GROUP BY time
            ORDER BY time""",
            ),
            *LEVEL_COLOURS,
        ),
        bars(
            "Nudges sent and held back",
            "Every risk change ends in a decision: sent, or held back for a reason.",
            """SELECT $__timeInterval(ingested_at) AS time, label AS outcome, count() AS Value
            FROM first_written FINAL
            WHERE kind = 'decision' AND $__timeFilter(ingested_at)
            GROUP BY time, outcome
            ORDER BY time, outcome""",
        ),
    ]


def _failures() -> list[Panel]:
    return [
        bars(
            "Dead letters by reason",
            "A step in one reason after a release of the platform: it sends something new.",
            """SELECT $__timeInterval(received_at) AS time, reason,
            uniqExact(topic, `partition`, `offset`) AS Value
            FROM dead_letters
            WHERE $__timeFilter(received_at)
            GROUP BY time, reason
            ORDER BY time, reason""",
        ),
        bars(
            "Starts of workers",
            "A worker that starts again and again ends for a reason: its log names it. Several at one moment "
            "are a release.",
            """SELECT $__timeInterval(at) AS time, worker, count() AS Value
            FROM worker_starts FINAL
            WHERE $__timeFilter(at)
            GROUP BY time, worker
            ORDER BY time, worker""",
        ),
        records.dead_letters(),
        number(
            "Records lost",
            "Deleted from their log before they were read, in the time range. Nothing can bring them back: "
            "see HomeroomRecordsLost.",
            "short",
            """SELECT sum(records) AS lost
            FROM log_breaks FINAL
            WHERE $__timeFilter(at)""",
            above(1, 1),
        )
        .span(WIDTH // 3)
        .height(8),
        rows(
            "Fields that nobody knows",
            "Fields that platforms send and the contract does not know, on days closed in it: misspelt "
            "or of another version. Their records were applied without them.",
            """SELECT field, sum(records) AS records, min(day) AS first_day, max(day) AS last_day
            FROM unknown_fields FINAL
            WHERE $__timeFilter(ingested_at)
            GROUP BY field
            ORDER BY records DESC, field
            LIMIT 50""",
            WIDTH * 2 // 3,
        ),
        records.source_events(),
        records.other_roles(),
        records.log_breaks(),
        _partitions(),
    ]


def _partitions() -> Panel:
    partitions = rows(
        "Partitions",
        "Where each partition stands, by its last row in the time range.",
        f"""SELECT `partition`, argMax(worker, {NEWEST_ROW}) AS held_by, max(at) AS seen,
        argMax(applied_offset, {NEWEST_ROW}) AS applied_offset, argMax(lag, {NEWEST_ROW}) AS lag,
        argMax(watermark, {NEWEST_ROW}) AS watermark, argMax(enrolments, {NEWEST_ROW}) AS enrolments,
        sum(events) AS events, sum(state_rows) AS state_rows, max(batch_records) AS largest_batch
        FROM pipeline_health
        WHERE $__timeFilter(at) AND {SELECTED_WORKERS}
        GROUP BY `partition`
        ORDER BY `partition`""",
    )
    return sized(partitions, MOMENT_PX, "seen", "watermark")


def _variables() -> list[Variable]:
    return [query("worker", "Worker", "SELECT DISTINCT worker FROM worker_starts ORDER BY worker")]


def _restarts() -> dashboard.AnnotationQuery:
    return annotation(
        "Worker started",
        "orange",
        """SELECT at AS time, 'A worker started' AS title, worker AS text, 'start' AS tags
        FROM worker_starts FINAL
        WHERE $__timeFilter(at)
        ORDER BY time""",
    )


def _changed() -> list[dashboard.AnnotationQuery]:
    """Annotations of what a worker's results depend on, at the wall-clock time of writing."""
    return [
        annotation(
            "Model drifts or is replaced",
            "purple",
            """SELECT toDateTime(ingested_at) AS time, replaceAll(splitByChar('/', id)[2], '_', ' ') AS title,
            replaceRegexpOne(id, '^event/[^/]*/', '') AS text, 'model' AS tags
            FROM first_written FINAL
            WHERE kind = 'model_event' AND $__timeFilter(ingested_at)
            ORDER BY time, title, text""",
        ),
        annotation(
            "Policy reloaded",
            "orange",
            """SELECT toDateTime(ingested_at) AS time, 'A policy came into force' AS title, id AS text,
            'policy' AS tags
            FROM first_written FINAL
            WHERE kind = 'policy' AND $__timeFilter(ingested_at)
            ORDER BY time, text""",
        ),
    ]


def make() -> model.Dashboard:
    """The whole board."""
    return board(
        "Pipeline",
        UID,
        "From Kafka to risk changes and nudges: throughput, lag, failures, outcomes.",
        {"Overview": _overview, "Flow": _flow, "What came of it": _outcomes, "What failed": _failures},
        _variables(),
        [_restarts(), *_changed()],
        WALL_CLOCK,
        "10s",
    )
