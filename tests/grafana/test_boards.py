"""Boards, proven without a Grafana: the JSON, the SDK's types, the linter's rules, and every query."""

import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.cog.plugins import register_default_plugins
from grafana_foundation_sdk.models.dashboard import Dashboard

from engine.state.row_layout import ROW
from grafana import build, clickhouse
from grafana.alerts import ALERTS
from grafana.pipeline import ROW_BYTES
from sinks.address import StoreAddress
from sinks.store import ClickHouseWriter, StoreReader
from tests.grafana.macros import ALL, View, expand
from tests.grafana.queries import BOARDS, FILES, panels
from tests.stores import fresh_database, real_server_or_embedded

NOW = datetime.now(UTC).replace(microsecond=0)


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StoreAddress]:
    """A store in which a pipeline of two workers has been at work for ten minutes."""
    with (
        real_server_or_embedded(tmp_path_factory.mktemp("store")) as address,
        fresh_database(address) as mine,
        ClickHouseWriter(mine) as writer,
    ):
        for table, columns in rows().items():
            writer.write(table, columns)
        yield mine


def rows() -> dict[str, dict[str, Any]]:
    times = [NOW - timedelta(seconds=10 * n) for n in range(60)] * 2
    many = len(times)
    workers = ["worker-1"] * 60 + ["o'hara"] * 60
    health = {
        "at": times,
        "worker": workers,
        "partition": [0] * 60 + [1] * 60,
        "applied_offset": list(range(many)),
        "lag": [5 + n % 7 for n in range(many)],
        "watermark": [moment - timedelta(hours=6) for moment in times],
        "events": [600] * many,
        "dead_letters": [0] * many,
        "batches": [3] * many,
        "batch_records": [500] * many,
        "apply_ms": [1.5] * many,
        "flush_ms": [20.0] * many,
        "state_rows": [100] * many,
        "enrolments": [1000] * many,
    }
    levels = ["low", "medium", "high"]
    changes = {
        "risk_change_id": [f"change-{n}" for n in range(9)],
        "learner": [f"{n:016x}" for n in range(9)],
        "course_run": ["BBB/2014B"] * 9,
        "occurred_at": [datetime(2014, 3, 1, tzinfo=UTC)] * 9,
        "day": [datetime(2014, 3, 1, tzinfo=UTC).date()] * 9,
        "previous_level": ["medium"] * 9,
        "level": levels * 3,
        "probability": [0.8] * 9,
        "previous_probability": [0.5] * 9,
        "exit_probability": [0.1] * 9,
        "model_state": ["serving"] * 9,
        "model_version": ["lost/1"] * 9,
        "reasons": [["no activity for 9 days"]] * 9,
        "contributions": [[0.7]] * 9,
        "partition": [0] * 9,
        "version": [1] * 9,
    }
    ledger = {
        "decision_id": [f"decision-{n}" for n in range(4)],
        "risk_change_id": [f"change-{n}" for n in range(4)],
        "nudge_id": ["nudge-0", "nudge-1", None, None],
        "learner": [f"{n:016x}" for n in range(4)],
        "course_run": ["BBB/2014B"] * 4,
        "decided_at": [datetime(2014, 3, 1, tzinfo=UTC)] * 4,
        "send_at": [datetime(2014, 3, 1, 9, tzinfo=UTC)] * 2 + [None] * 2,
        "decision": ["send", "send", "hold", "hold"],
        "reason": ["sent", "quiet_hours", "cap_reached", "holdout"],
        "campaign": ["return"] * 4,
        "policy_version": ["1"] * 4,
        "propensity": [0.9] * 4,
        "partition": [0] * 4,
    }
    letters = {
        "dead_letter_id": ["homeroom.events:0:7", "homeroom.events:1:8"],
        "topic": ["homeroom.events"] * 2,
        "partition": [0, 1],
        "offset": [7, 8],
        "reason": ["malformed", "future"],
        "field": ["", "occurred_at"],
        "detail": ["not JSON", "2031-01-01 is further ahead than 300 s"],
        "received_at": [NOW - timedelta(seconds=90), NOW - timedelta(seconds=30)],
    }
    return {
        "pipeline_health": health,
        "risk_changes": changes,
        "nudge_ledger": ledger,
        "dead_letters": letters,
    }


def view(worker: str = ALL) -> View:
    ahead = datetime.now(UTC) + timedelta(minutes=10)  # rows are given their time of writing
    return View(NOW - timedelta(hours=1), ahead, 10, {"worker": [worker]}, {"worker": ["worker-1", "o'hara"]})


def value(store: StoreAddress, title: str, view_: View) -> object:
    (query,) = (panel for panel in panels("pipeline") if (panel.title, panel.kind) == (title, "stat"))
    with StoreReader(store) as reader:
        return query.run(reader, view_).rows[0][0]


def test_the_overview_says_what_happened(store: StoreAddress) -> None:
    overview = view()
    assert value(store, "Lag", overview) == 5 + (5 + 60 % 7)
    assert value(store, "Watermark age", overview) == 6 * 3600
    assert value(store, "Dead letters", overview) == 2
    assert value(store, "Raised to high", overview) == 3
    assert value(store, "Nudges sent", overview) == 2
    to_now = View(NOW - timedelta(hours=1), NOW, 10, {"worker": [ALL]}, {})
    assert value(store, "Throughput", to_now) == 2 * 6 * 600 / 60


def test_a_batch_that_came_twice_is_not_counted_twice(store: StoreAddress) -> None:
    with ClickHouseWriter(store) as writer:
        for table in ("risk_changes", "nudge_ledger", "dead_letters"):
            writer.write(table, rows()[table], token=f"another token of {table}")
    assert value(store, "Dead letters", view()) == 2
    assert value(store, "Raised to high", view()) == 3
    assert value(store, "Nudges sent", view()) == 2


def test_the_size_of_the_state_is_that_of_its_rows() -> None:
    assert ROW.itemsize == ROW_BYTES


def test_an_unknown_macro_is_an_error() -> None:
    with pytest.raises(ValueError, match=r"\$__columns"):
        expand("SELECT $__columns(a, b)", view())


def test_the_files_are_what_the_code_makes() -> None:
    assert build.outdated_files() == []


SHOWN = {
    "pipeline": {
        "Throughput",
        "Lag by partition",
        "Watermark age by partition",
        "Records a batch",
        "Time to apply a batch",
        "Time of a checkpoint by stage",
        "Time to commit",
        "State size",
        "Dead letters by reason",
        "Back-pressure: records waiting",
        "Starts of workers",
        "Records lost",
        "Breaks of topics' logs",
    },
    "risk": {
        "Levels",
        "Risk by course run and week",
        "Movers of the day",
        "Lead time",
        "Recent exits",
        "Warming up",
    },
    "engagement": {"Active learners", "Activity by kind", "Sessions", "Through the course", "Who stays"},
    "interventions": {
        "Sent",
        "Held back by reason",
        "Active again within a week",
        "What nudges did",
        "Holdout",
    },
    "model": {
        "AUC",
        "Log loss and Brier score",
        "Calibration",
        "Inputs unlike what was learned",
        "Features unlike what was learned",
        "Evidence for the challenger",
        "Waiting for an outcome",
    },
    "learner": {"P(lost)", "Activity", "What was said", "What was decided", "How it ended"},
}
"""What each board is there for: a panel that goes takes its question along."""

CHOICES = {
    "pipeline": {"worker"},
    "risk": {"course", "course_run", "level"},
    "engagement": {"course", "course_run"},
    "interventions": {"course", "course_run", "campaign"},
    "model": {"course", "course_run"},
    "learner": {"learner", "course_run"},
}


@pytest.mark.parametrize("name", BOARDS)
def test_a_board_shows_what_it_is_there_for(name: str) -> None:
    board = BOARDS[name]
    assert SHOWN[name] <= {panel["title"] for panel in board["panels"]}
    chosen = {variable["name"] for variable in board["templating"]["list"]}
    assert chosen == CHOICES[name] | {"datasource"}
    marks = {annotation["name"] for annotation in board["annotations"]["list"]}
    assert {"Model drifts or is replaced", "Policy reloaded"} <= marks
    assert ("Worker started" in marks) == (name == "pipeline")


@pytest.mark.parametrize("board", BOARDS.values(), ids=BOARDS)
def test_the_sdks_types_read_it_and_write_the_same(board: dict[str, Any]) -> None:
    register_default_plugins()
    clickhouse.register()
    again = json.loads(JSONEncoder(sort_keys=True).encode(Dashboard.from_json(json.loads(json.dumps(board)))))
    assert again == board


@pytest.mark.parametrize("board", BOARDS.values(), ids=BOARDS)
class TestLinterRules:
    """Those of Grafana's dashboard-linter that apply to a board on ClickHouse."""

    def test_the_board(self, board: dict[str, Any]) -> None:
        assert board["editable"] is False
        assert board["schemaVersion"] == 42
        assert board["uid"]
        assert board["title"]
        assert board["description"].endswith(".")
        first, *others = board["templating"]["list"]
        assert (first["type"], first["name"], first["label"]) == ("datasource", "datasource", "Data source")
        assert first["query"] == clickhouse.PLUGIN
        for variable in others:
            assert variable["label"]
            if variable["type"] == "query":
                assert variable["refresh"] == 2, "reloads when the time range changes"
                assert variable["datasource"]["uid"] == "${datasource}"

    def test_ids_and_places(self, board: dict[str, Any]) -> None:
        ids = [panel["id"] for panel in board["panels"]]
        assert len(set(ids)) == len(ids)
        assert 0 not in ids
        cells = [
            (x, y)
            for position in (panel["gridPos"] for panel in board["panels"])
            for x in range(position["x"], position["x"] + position["w"])
            for y in range(position["y"], position["y"] + position["h"])
        ]
        assert len(set(cells)) == len(cells), "panels overlap"
        assert max(x for x, _ in cells) < 24

    def test_panels(self, board: dict[str, Any]) -> None:
        for panel in board["panels"]:
            assert panel["title"]
            if panel["type"] == "row":
                continue
            assert panel["description"].endswith(".")
            assert panel["datasource"] == {"type": clickhouse.PLUGIN, "uid": "${datasource}"}
            assert panel["fieldConfig"]["defaults"]["unit"]
            assert panel["targets"]
            for target in panel["targets"]:
                assert target["rawSql"].strip()
                assert target["datasource"] == panel["datasource"]
            if panel["type"] == "stat":
                assert panel["options"]["reduceOptions"]["calcs"]

    def test_it_begins_with_an_overview_of_numbers(self, board: dict[str, Any]) -> None:
        row, *first = board["panels"][:7]
        assert (row["type"], {panel["type"] for panel in first}) == ("row", {"stat"})
        assert len({panel["gridPos"]["y"] for panel in first}) == 1

    def test_annotations_and_links(self, board: dict[str, Any]) -> None:
        for annotation in board["annotations"]["list"]:
            assert annotation["datasource"]["uid"] == "${datasource}"
            assert annotation["target"]["rawSql"]
        (link,) = board["links"]
        assert link["tags"] == board["tags"] == ["homeroom"]

    def test_a_link_leads_to_a_board_and_sets_variables_that_it_has(self, board: dict[str, Any]) -> None:
        variables = {
            other["uid"]: {variable["name"] for variable in other["templating"]["list"]}
            for other in BOARDS.values()
        }
        for url in re.findall(r'"url": "(/d/[^"]+)"', json.dumps(board)):
            uid = url.removeprefix("/d/").partition("?")[0]
            assert set(re.findall(r"var-(\w+)", url)) <= variables[uid]


PROVISIONING = Path(build.__file__).parent / "provisioning"
ROOT = PROVISIONING.parent.parent
RULES = FILES["provisioning/alerting/homeroom.json"]["groups"][0]["rules"]


@pytest.mark.parametrize("rule", RULES, ids=[rule["title"] for rule in RULES])
class TestAlertRules:
    """What Grafana's provisioning refuses, or gets wrong in silence."""

    def test_the_rule(self, rule: dict[str, Any]) -> None:
        query, condition = rule["data"]
        assert query["datasourceUid"] == query["model"]["datasource"]["uid"] == "homeroom-clickhouse"
        assert condition["datasourceUid"] == "__expr__"
        assert condition["model"]["expression"] == query["refId"]
        assert rule["condition"] == condition["refId"]
        assert len(rule["uid"]) <= 40
        assert rule["labels"]["severity"] in ("critical", "warning")
        assert (rule["noDataState"], rule["execErrState"]) == ("OK", "Error")

    def test_nothing_is_taken_for_a_variable_of_the_environment(self, rule: dict[str, Any]) -> None:
        assert "$" not in json.dumps(rule).replace("{{ $$labels.", "")

    def test_it_leads_to_its_page_and_its_panel(self, rule: dict[str, Any]) -> None:
        page = ROOT / rule["annotations"]["runbook"]
        assert page.read_text("utf-8").startswith(f"# {rule['title']}\n")
        (board,) = (
            candidate
            for candidate in BOARDS.values()
            if candidate["uid"] == rule["annotations"]["__dashboardUid__"]
        )
        assert int(rule["annotations"]["__panelId__"]) in {panel["id"] for panel in board["panels"]}


def test_uids_and_titles_are_different() -> None:
    for names in ([alert.uid for alert in ALERTS], [alert.title for alert in ALERTS]):
        assert len(set(names)) == len(names)
    uids = [board["uid"] for board in BOARDS.values()]
    assert len(set(uids)) == len(uids)


def test_data_sources_have_fixed_uids_and_no_secret_of_their_own() -> None:
    text = (PROVISIONING / "datasources" / "homeroom.yaml").read_text("utf-8")
    sources = {source["type"]: source for source in yaml.safe_load(text)["datasources"]}
    assert sources[clickhouse.PLUGIN]["uid"] == "homeroom-clickhouse"
    assert sources["prometheus"]["uid"] == "homeroom-prometheus"
    assert sources[clickhouse.PLUGIN]["secureJsonData"] == {"password": "${CLICKHOUSE_PASSWORD}"}
    assert not any(source["editable"] for source in sources.values())


def test_boards_are_read_from_files() -> None:
    text = (PROVISIONING / "dashboards" / "homeroom.yaml").read_text("utf-8")
    (provider,) = yaml.safe_load(text)["providers"]
    assert (provider["type"], provider["allowUiUpdates"]) == ("file", False)
    compose = yaml.safe_load((ROOT / "docker-compose.yml").read_text("utf-8"))
    mounts = dict(volume.split(":")[:2] for volume in compose["services"]["grafana"]["volumes"])
    assert mounts["./grafana/boards"] == provider["options"]["path"]


def test_the_stack_sets_every_variable_that_provisioning_asks_for() -> None:
    required = {
        name
        for file in PROVISIONING.rglob("*.yaml")
        for name in re.findall(r"\$\{?(\w+)", file.read_text("utf-8"))
    }
    compose = yaml.safe_load((ROOT / "docker-compose.yml").read_text("utf-8"))
    assert required
    assert required <= set(compose["services"]["grafana"]["environment"])
