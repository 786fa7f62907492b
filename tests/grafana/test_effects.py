"""The board's effects of nudges are those of ``nudges.experiments.effects``, whatever the counts."""

from collections.abc import Iterator
from datetime import UTC, date, datetime
from typing import Any

import pytest

from nudges.experiments.effects import Arm, Effect, anytime
from sinks.store import ClickHouseWriter, StoreReader
from tests.grafana import queries as q
from tests.grafana.macros import View
from tests.stores import fresh_database, real_server_or_embedded

CASES = {
    "few": (Arm(99, 60), Arm(120, 50)),
    "more": (Arm(900, 600), Arm(400, 150)),
    "less": (Arm(500, 100), Arm(500, 300)),
    "same": (Arm(3000, 1300), Arm(330, 140)),
    "never": (Arm(200, 0), Arm(200, 0)),
}


def rows(campaign: str, name: str, arm: Arm) -> dict[str, list[Any]]:
    row: dict[str, Any] = {
        "outcome": "active_7",
        "course_run": "a/1",
        "campaign": campaign,
        "variant": "plain" if name == "nudged" else "",
        "arm": name,
        "first": True,
        "decided": date(2026, 3, 2),
    }
    held: dict[str, list[Any]] = {
        "decision_id": [f"{campaign}-{name}-{number}" for number in range(arm.known)],
        "happened": [number < arm.happened for number in range(arm.known)],
    }
    return held | {column: [value] * arm.known for column, value in row.items()}


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, dict[str, Any]]]:
    """Campaign → its line in the board, of all variants."""
    view = View(
        datetime(2026, 3, 1, tzinfo=UTC),
        datetime(2026, 4, 1, tzinfo=UTC),
        offered={"course_run": ("a/1",), "campaign": tuple(CASES)},
    )
    (query,) = (one for one in q.panels("interventions") if one.title == "What nudges did")
    with real_server_or_embedded(tmp_path_factory.mktemp("store")) as server, fresh_database(server) as store:
        with ClickHouseWriter(store) as writer:
            for campaign, (nudged, held) in CASES.items():
                writer.write("nudge_outcomes", rows(campaign, "nudged", nudged))
                writer.write("nudge_outcomes", rows(campaign, "holdout", held))
        with StoreReader(store) as reader:
            result = query.run(reader, view)
        lines = [dict(zip(result.columns, row, strict=True)) for row in result.rows]
        assert len(lines) == 2 * len(CASES), "all variants, and the one"
        yield {line["campaign"]: line for line in lines if line["variant"] == "all"}


@pytest.mark.parametrize("campaign", CASES)
def test_the_board_says_what_the_library_says(found: dict[str, dict[str, Any]], campaign: str) -> None:
    line = found[campaign]
    expected: Effect = anytime(*CASES[campaign])
    assert (line["nudged"], line["held_out"]) == (expected.nudged.known, expected.holdout.known)
    assert line["difference"] == pytest.approx(expected.difference)
    assert line["at_least"] == pytest.approx(expected.interval.low)
    assert line["at_most"] == pytest.approx(expected.interval.high)
    assert line["verdict"] == expected.verdict
