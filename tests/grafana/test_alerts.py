"""Each alert rule on the real engine: quiet on a healthy store and an empty one, ringing where it should."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from sinks.address import StoreAddress
from sinks.store import ClickHouseWriter, StoreReader
from tests.grafana.queries import FILES
from tests.stores import fresh_database, real_server_or_embedded

RULES = {rule["title"]: rule for rule in FILES["provisioning/alerting/homeroom.json"]["groups"][0]["rules"]}

DAYS = "FROM (SELECT today() - number AS day FROM numbers(30))"
LEDGER = "nudge_ledger (decision_id, risk_change_id, course_run, decided_at, decision, reason)"
MODEL = "model_metrics (day, metric, value)"

HEALTHY = (
    f"risk_daily (day, course_run, model_state, low, high) SELECT day, 'a/1', 'serving', 80, 20 {DAYS}",
    f"engagement_daily (day, course_run, enrolled, active) SELECT day, 'a/1', 100, 60 {DAYS}",
    f"{MODEL} SELECT day, 'auc', 0.85 - number / 10000 FROM (SELECT today() - number AS day, number "
    "FROM numbers(30))",
    f"{MODEL} SELECT day, 'ece', 0.03 {DAYS}",
    f"{MODEL} SELECT day, 'served', 5000 {DAYS}",
    f"{LEDGER} SELECT concat('s', toString(number)), concat('s', toString(number)), 'a/1', now(), "
    "'send', 'sent' FROM numbers(600)",
    # Of 1,200 proposals few get a yes: that is the instructor's doing, and not the draw's.
    f"{LEDGER} SELECT concat('p', toString(number)), concat('p', toString(number)), 'a/1', now(), "
    "'hold', 'awaiting_approval' FROM numbers(1200)",
    f"{LEDGER} SELECT concat('a', toString(number)), concat('p', toString(number)), 'a/1', now(), "
    "'send', 'sent' FROM numbers(100)",
    "log_breaks (at, topic, cause) SELECT now() - 3 * 86400, 'homeroom.events', 'remade'",
    f"{LEDGER} SELECT concat('h', toString(number)), concat('h', toString(number)), 'a/1', now(), "
    "'hold', 'holdout' FROM numbers(200)",
)
"""A month of one course run, up to today."""

WRONG: dict[str, tuple[str, ...]] = {
    "HomeroomEstimatesMissing": ("DELETE risk_daily WHERE day > today() - 4",),
    "HomeroomStaleEstimates": (
        "risk_daily (day, course_run, `partition`, model_state, low) SELECT today(), 'a/1', 1, 'stale', 5",
    ),
    "HomeroomHighRiskJump": (
        "DELETE risk_daily WHERE day >= today() - 1",
        "risk_daily (day, course_run, model_state, low, high) SELECT today(), 'a/1', 'serving', 60, 40",
    ),
    "HomeroomActivityDrop": (
        "DELETE engagement_daily WHERE day = today() - 1",
        "engagement_daily (day, course_run, enrolled, active) SELECT today() - 1, 'a/1', 100, 15",
    ),
    "HomeroomModelWorse": (
        "DELETE model_metrics WHERE metric = 'auc' AND day > today() - 3",
        f"{MODEL} SELECT today() - 1, 'auc', 0.81",
    ),
    "HomeroomCalibrationOff": (
        "DELETE model_metrics WHERE metric = 'ece' AND day = today()",
        f"{MODEL} SELECT today(), 'ece', 0.2",
    ),
    "HomeroomModelDrift": (f"{MODEL} SELECT today() - 1, 'event/loss_rose/course-a', 0.2",),
    "HomeroomRecordsLost": (
        "log_breaks (at, topic, cause, first_offset, last_offset, records) "
        "SELECT now() - 3600, 'homeroom.events', 'deleted', 10, 40, 31",
    ),
    "HomeroomNudgesSilent": ("DELETE nudge_ledger WHERE decision = 'send'",),
    "HomeroomHoldoutOff": (
        f"{LEDGER} SELECT concat('x', toString(number)), concat('x', toString(number)), 'a/1', now(), "
        "'hold', 'holdout' FROM numbers(500)",
    ),
}
"""What goes wrong in a healthy store: rows that come, after rows that are taken away."""

Store = Callable[..., StoreAddress]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StoreAddress]:
    with real_server_or_embedded(tmp_path_factory.mktemp("store")) as address:
        yield address


@pytest.fixture
def store(server: StoreAddress) -> Iterator[StoreAddress]:
    with fresh_database(server) as address:
        yield address


def change(store: StoreAddress, statements: tuple[str, ...]) -> None:
    with ClickHouseWriter(store) as writer:
        for statement in statements:
            head, _, rest = statement.partition(" ")
            if head == "DELETE":
                table, _, condition = rest.partition(" WHERE ")
                writer.command(f"ALTER TABLE {table} DELETE WHERE {condition} SETTINGS mutations_sync = 1")
            else:
                writer.command(f"INSERT INTO {statement}")


def ringing(store: StoreAddress) -> dict[str, list[tuple[Any, ...]]]:
    """Title → the rows that are beyond the rule's threshold."""
    rows_by_title = {}
    with StoreReader(store) as reader:
        for title, rule in RULES.items():
            query, condition = (part["model"] for part in rule["data"])
            result = reader.query(query["rawSql"])
            numbers = [index for index, kind in enumerate(result.types) if "String" not in kind]
            assert len(numbers) == 1, "one number, and text for labels"
            (evaluator,) = (condition_part["evaluator"] for condition_part in condition["conditions"])
            beyond = {"gt": float.__gt__, "lt": float.__lt__}[evaluator["type"]]
            rows_by_title[title] = [
                row for row in result.rows if beyond(float(row[numbers[0]]), float(evaluator["params"][0]))
            ]
    return {title: rows for title, rows in rows_by_title.items() if rows}


def test_an_empty_store_is_quiet(store: StoreAddress) -> None:
    assert ringing(store) == {}


def test_a_healthy_store_is_quiet(store: StoreAddress) -> None:
    change(store, HEALTHY)
    assert ringing(store) == {}


@pytest.mark.parametrize("title", RULES)
def test_what_is_wrong_rings_and_nothing_else(store: StoreAddress, title: str) -> None:
    change(store, HEALTHY)
    change(store, WRONG[title])
    assert set(ringing(store)) - ALSO.get(title, set()) == {title}


ALSO = {"HomeroomNudgesSilent": {"HomeroomHoldoutOff"}}
"""What cannot but ring with another: no nudge sent, everybody held out."""
