"""How much the boards read of a large platform's year: ``python -m benchmarks.boards``.

Fills a store, by INSERT … SELECT, like a year of 100 course runs of 1,000 learners each (10 M rows of risk
history, 19 M in all), and runs every query of every board over the time range in which the board opens: rows
read and milliseconds, as docs/boards.md shows them. ``--scale .1`` fills a tenth. Rows read are more
telling than the time, which depends on the machine.
"""

import argparse
import re
import tempfile
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from online_models.drift import MONITORED
from sinks.address import StoreAddress
from sinks.embedded import EmbeddedStore
from sinks.migrate import migrate
from sinks.store import ClickHouseWriter, StoreReader
from sinks.tables import TABLES
from tests.grafana import queries as q
from tests.grafana.macros import View

RUNS = 100
LEARNERS = 1_000
PARTITIONS = 8
DAYS = 182
"""Of a course run: 26 weeks. Half the runs start in the first half of the year, half in the second."""

HISTORY = 100
"""Rows of risk history an enrolment: one a week, and one for every move of five hundredths."""

SETTLE_S = 60.0

LARGE = {"risk_history", "pipeline_health", "activity_hourly"}
"""Tables that grow by a row for every learner and day, or every ten seconds."""

GRANULES = 8 * 8192
"""Rows of a large table that a query may read: the granules with a learner's or an hour's rows, in a few
parts."""

RUN = "concat('course-', toString(run % 25), '/run-', toString(run))"
LEARNER = "lower(leftPad(hex(sipHash64(enrolment)), 16, '0'))"
STARTS = f"(today() - 365 + (run % 2) * {DAYS})"
ALL_RUNS = f"(SELECT number AS run FROM numbers({RUNS}))"
RUN_DAYS = (
    f"(SELECT intDiv(number, {DAYS * PARTITIONS}) AS run, intDiv(number, {PARTITIONS}) % {DAYS} AS at, "
    f"number % {PARTITIONS} AS part, {STARTS} + at AS day FROM numbers({RUNS * DAYS * PARTITIONS}))"
)
"""A row for every run, day and partition, as in the daily tables."""


@dataclass(frozen=True, slots=True)
class Cost:
    """The cost of one query of a board."""

    query: q.Query
    rows_read: int
    ms: float


def fill(address: StoreAddress, scale: float = 1.0) -> int:
    """Fill the tables with a share ``scale`` of the learners; returns the number of rows."""
    with ClickHouseWriter(address, timeout=600) as writer:
        for statement in statements(max(round(LEARNERS * scale), 10)):
            writer.command(f"INSERT INTO {statement} SETTINGS async_insert = 0, max_insert_threads = 2")
        _settle(writer)
        counts = [writer.command(f"SELECT count() FROM {table}")[0][0] for table in TABLES]
    return sum(counts)


def _settle(writer: ClickHouseWriter) -> None:
    """Wait until the engine has merged the inserted parts, as it would have over a year."""
    quiet, deadline = 0, time.monotonic() + SETTLE_S
    while quiet < 3 and time.monotonic() < deadline:
        time.sleep(0.5)
        quiet = 0 if writer.command("SELECT count() FROM system.merges")[0][0] else quiet + 1


def statements(learners: int) -> Iterator[str]:
    """An INSERT for every table that boards read."""
    enrolments = RUNS * learners
    enrolment_run = f"intDiv(enrolment, {learners}) AS run"
    part = f"toUInt16(enrolment % {PARTITIONS})"
    by_enrolment = (
        "(SELECT intDiv(number, {0}) AS enrolment, number % {0} AS at, "
        + enrolment_run
        + f" FROM numbers({enrolments} * {{0}}))"
    ).format
    draw = "cityHash64(enrolment, at)"
    yield (
        "risk_history (learner, course_run, day, probability, level, model_state, model_version, "
        "`partition`, version, clicks) "
        f"SELECT {LEARNER}, {RUN}, {STARTS} + intDiv(at * {DAYS}, {HISTORY}), "
        f"{draw} % 1000 / 1000, ['low', 'medium', 'high'][1 + {draw} % 3], 'serving', 'lost/1', "
        f"{part}, at, [1, 0, 0, 3, 0, 0, 2] FROM {by_enrolment(HISTORY)}"
    )
    changed = f"toDateTime({STARTS} + {draw} % {DAYS}, 'UTC')"
    yield (
        "risk_changes (risk_change_id, learner, course_run, occurred_at, day, previous_level, level, "
        "probability, previous_probability, model_state, reasons, contributions, features, reliefs) "
        f"SELECT hex(sipHash128(enrolment, at)), {LEARNER}, {RUN}, {changed} AS occurred, toDate(occurred), "
        "'medium', if(at % 2, 'high', 'low'), 0.8, 0.4, 'serving', ['no activity for 9 days', 'one missed'], "
        "[0.9, 0.4], ['silence', 'missed_last'], ['active again: 61 %', ''] "
        f"FROM {by_enrolment(4)}"
    )
    yield (
        "nudge_ledger (decision_id, risk_change_id, learner, course_run, decided_at, send_at, decision, "
        "reason, campaign, policy_version) "
        f"SELECT hex(sipHash128(enrolment, at, 1)), hex(sipHash128(enrolment, at)), {LEARNER}, {RUN}, "
        f"{changed}, NULL, if({draw} % 8, 'hold', 'send'), "
        f"['sent', 'holdout', 'cap_reached', 'level_not_nudged'][1 + {draw} % 4], 'reach-out', 'first' "
        f"FROM {by_enrolment(4)}"
    )
    yield (
        "nudge_outcomes (decision_id, outcome, learner, course_run, campaign, variant, arm, first, decided, "
        "happened) "
        f"SELECT hex(sipHash64(enrolment)), ['active_7', 'active_14', 'exit', 'completion'][1 + at], "
        f"{LEARNER}, {RUN}, 'reach-out', 'a', if(enrolment % 10, 'nudged', 'holdout'), true, "
        f"{STARTS} + {draw} % {DAYS}, {draw} % 2 FROM {by_enrolment(4)}"
    )
    yield (
        "outcomes (course_run, learner, day, outcome, exit_day) "
        f"SELECT {RUN}, {LEARNER}, {STARTS} + {draw} % {DAYS} AS gone, "
        f"['withdrawn', 'passed'][1 + {draw} % 2], if({draw} % 2, NULL, gone) FROM {by_enrolment(1)}"
    )
    yield from daily(learners)


def daily(learners: int) -> Iterator[str]:
    """INSERTs for tables with a row a day, which do not grow with the learners, and the pipeline's own."""
    key = f"day, {RUN} AS course_run, part"
    few = learners // PARTITIONS
    health = 90 * 8640 * PARTITIONS * learners // LEARNERS
    yield (
        "risk_daily (day, course_run, `partition`, model_state, low, medium, high, expected_lost, raised) "
        f"SELECT {key}, 'serving', {few}, {few // 2}, {few // 4}, {few} * .4, 1 FROM {RUN_DAYS}"
    )
    yield (
        "engagement_daily (day, course_run, `partition`, enrolled, active, active_7, active_28, clicks) "
        f"SELECT {key}, {few}, {few // 3}, {few // 2}, {few}, {few} * 20 FROM {RUN_DAYS}"
    )
    yield (
        "progress_daily (day, course_run, `partition`, course, starts, ends, `new`, enrolled, started, "
        "half_way) "
        f"SELECT {key}, splitByChar('/', course_run)[1], {STARTS}, {STARTS} + {DAYS}, at = 0, {few}, {few}, "
        f"{few // 2} FROM {RUN_DAYS}"
    )
    kinds = "['home', 'content', 'page', 'resource', 'video', 'forum', 'wiki', 'quiz', 'submission', 'other']"
    yield (
        "activity_daily (day, course_run, `partition`, kind, clicks, active) "
        f"SELECT {key}, arrayJoin({kinds}), {few}, {few // 3} FROM {RUN_DAYS}"
    )
    yield (
        "sessions_daily (day, course_run, `partition`, learners, sessions, hours, seconds) "
        f"SELECT {key}, {few // 3}, {few // 2}, {few}, {few} * 1200 FROM {RUN_DAYS}"
    )
    yield (
        "retention_weekly (course_run, cohort, week, `partition`, learners, active) "
        f"SELECT {RUN}, toStartOfWeek({STARTS}, 1) + 7 * (number % 8), intDiv(number, 8) % 26, "
        f"intDiv(number, {8 * 26}) AS part, {few}, {few // 2} "
        f"FROM {ALL_RUNS} AS runs CROSS JOIN numbers({8 * 26 * PARTITIONS}) AS weeks"
    )
    metrics = "['auc', 'ece', 'log_loss', 'brier', 'examples', 'positives', 'served', 'lost', 'estimated']"
    shifts = f"arrayMap(n -> concat('feature_shift/', toString(n)), range({len(MONITORED)}))"
    yield (
        f"model_metrics (day, model_version, metric, value) SELECT today() - number, toString(number), "
        f"arrayJoin(arrayConcat({metrics}, {shifts})), 1 - number / 1000 FROM numbers(365)"
    )
    yield (
        "model_calibration (day, bin, estimated, lost, weight) "
        "SELECT today() - intDiv(number, 15), number % 15, number % 15 / 15, .5, 10 FROM numbers(365 * 15)"
    )
    yield (
        "pipeline_health (at, worker, `partition`, lag, watermark, events, enrolments) "
        f"SELECT now() - 10 * intDiv(number, {PARTITIONS}), concat('worker-', toString(number % 4)), "
        f"number % {PARTITIONS}, 5, now(), 600, {few} FROM numbers({health})"
    )
    yield "worker_starts (at, worker) SELECT now() - 86400 * number, toString(number) FROM numbers(90)"
    yield (
        "dead_letters (dead_letter_id, topic, `partition`, `offset`, reason, received_at) "
        f"SELECT toString(number), 'homeroom.events', number % {PARTITIONS}, number, 'invalid', "
        "now() - number * 100 FROM numbers(100000)"
    )

    yield (
        "log_breaks (at, topic, topic_id, cause, records) SELECT now() - number * 100, 'homeroom.events', "
        "toString(number), 'deleted', 10 FROM numbers(1000)"
    )


def costs(reader: StoreReader) -> Iterator[Cost]:
    """Run each query once, with everything selected, over the time range in which its board opens."""
    now = datetime.now(UTC).replace(microsecond=0)
    learner = reader.query("SELECT learner FROM risk_now LIMIT 1").rows[0][0]
    for board, board_json in q.BOARDS.items():
        back = {"now-1h": timedelta(hours=1), "now-1y": timedelta(days=365)}[board_json["time"]["from"]]
        view = View(now - back, now, 10, {"learner": (learner,)})
        offered_view = q.offered(board, reader, view)
        for query in (*q.variables(board), *q.panels(board), *q.annotations(board)):
            started = time.perf_counter()
            result = query.run(reader, offered_view)
            yield Cost(query, result.rows_read, 1000 * (time.perf_counter() - started))


def over_bound(reader: StoreReader, measured: Iterable[Cost]) -> dict[str, tuple[int, int]]:
    """Queries that read too much → (rows read, bound).

    The bound is ``GRANULES`` for a large table, and all rows for others, for each mention in the query.
    """
    row_counts = {name: int(reader.query(f"SELECT count() FROM {name}").rows[0][0]) for name in TABLES}
    over = {}
    for cost in measured:
        tables = re.findall(r"FROM (\w+)", cost.query.sql.replace("risk_now", "standing"))
        bound = sum(GRANULES if name in LARGE else row_counts.get(name, 0) + GRANULES for name in tables)
        if cost.rows_read > bound:
            over[str(cost.query)] = (cost.rows_read, bound)
    return over


def show(measured: list[Cost]) -> None:
    """The table of docs/boards.md."""
    print("| board | panel | kind | rows read | ms |\n|---|---|---|--:|--:|")
    for cost in measured:
        query = cost.query
        print(f"| {query.board} | {query.title} | {query.kind} | {cost.rows_read:,} | {cost.ms:,.0f} |")


def main() -> None:
    parser = argparse.ArgumentParser("python -m benchmarks.boards")
    parser.add_argument("--scale", type=float, default=1.0, help="share of the learners")
    scale = parser.parse_args().scale
    with tempfile.TemporaryDirectory() as folder, EmbeddedStore(Path(folder) / "store") as address:
        migrate(address)
        started = time.perf_counter()
        rows = fill(address, scale)
        print(f"{rows:,} rows in {time.perf_counter() - started:.0f} s\n")
        with StoreReader(address) as reader:
            measured = list(costs(reader))
            show(measured)
            print(f"\n{len(measured)} queries, beyond their bounds: {over_bound(reader, measured) or 'none'}")


if __name__ == "__main__":
    main()
