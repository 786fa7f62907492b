"""Every panel of every board, drawn by Grafana's own code in a Chromium over what the real pipeline wrote.

Wrong is: a setting or an override that Grafana does not know, an override that matches no field, a value
outside its bounds or its axes, a column, title or number that is cut, a chart with two axes, a name in a
colour that means something else, "No data", a crash. ``HOMEROOM_PICTURES`` names a folder that gets a picture
of each board.
"""

import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml
from playwright.sync_api import Page, Route, sync_playwright

from grafana.clickhouse import Shape
from grafana.panels import MEANINGS
from sinks.store import ClickHouseWriter, Result, StoreReader
from tests.grafana import queries as q
from tests.grafana.macros import View, expand
from tests.grafana.render.bundle import HERE, NotInstalledError, bundle, version
from tests.grafana.render.frames import frames
from tests.required import lacking
from tests.stores import fresh_database, real_server_or_embedded

BROWSERS = ("chromium", "chromium-browser", "google-chrome")
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
PATIENCE_MS = 60_000

WIDTHS = (1_280, 1_600)
"""Of a screen, in pixels: a notebook's and a desk's."""

AROUND = 48
"""Pixels of a screen's width that the board does not have: padding, and the scroll bar."""

COLUMNS, CELL, GAP = 24, 30, 8
"""Grafana's grid: columns, a row's height and the gap between panels in pixels."""

NOT_IN_PACKAGES = {"status-history"}
"""Kinds whose drawing is in Grafana's application alone: their settings, values and colours are checked."""


ADDRESS = "http://boards.localhost/"
"""Nobody is asked for it: :func:`answer` is. Grafana's code wants an origin that has a storage."""

EMPTY = "<!doctype html><body style='margin:0;background:#111217'><div id=board></div>"


def answer(route: Route) -> None:
    """The empty page, and nothing else from anywhere."""
    if route.request.url == ADDRESS:
        route.fulfill(body=EMPTY, content_type="text/html")
    else:
        route.abort()


@pytest.fixture(scope="module")
def page() -> Iterator[Page]:
    """A page with Grafana's code. For this module alone: Playwright's loop must not meet other tests'."""
    path = next((executable for name in BROWSERS if (executable := shutil.which(name))), None)
    if path is None:
        lacking("browser", f"none of {', '.join(BROWSERS)} is installed")
    try:
        folder = bundle()
    except NotInstalledError as missing:
        lacking("grafana", str(missing))
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=FLAGS)
        page = browser.new_page()
        page.set_default_timeout(PATIENCE_MS)
        page.route("**/*", answer)
        page.goto(ADDRESS)
        page.add_style_tag(path=folder / "page.css")
        page.add_script_tag(path=folder / "page.js")
        yield page
        browser.close()


@dataclass(frozen=True, slots=True)
class Drawn:
    """What came of a panel."""

    title: str
    type: str
    drawn: bool
    problems: list[str]


Draw = Callable[..., list[Drawn]]


def asked(panel: dict[str, Any], view: View, result: Result, width: int) -> dict[str, Any]:
    """A panel with its rows and its place, as the page takes it."""
    position = panel["gridPos"]
    column = (width - AROUND + GAP) / COLUMNS
    return {
        "panel": panel,
        "frames": frames(result, Shape(panel["targets"][0]["format"])),
        "from": view.start.timestamp() * 1000,
        "to": view.end.timestamp() * 1000,
        "left": position["x"] * column,
        "top": position["y"] * (CELL + GAP),
        "width": position["w"] * column - GAP,
        "height": position["h"] * (CELL + GAP) - GAP,
    }


@pytest.fixture(scope="module")
def draw(page: Page) -> Draw:
    """Draw panels at a screen's width."""

    def of(panels: list[dict[str, Any]], width: int, picture: str = "") -> list[Drawn]:
        errors: list[str] = []
        page.on("pageerror", note := lambda error: errors.append(str(error)))
        height = max(panel["top"] + panel["height"] for panel in panels)
        page.set_viewport_size({"width": width - AROUND, "height": round(height)})
        results = page.evaluate(
            "board => window.draw(board)",
            {"width": width - AROUND, "height": height, "meanings": MEANINGS, "panels": panels},
        )
        if picture and (folder := os.environ.get("HOMEROOM_PICTURES")):
            page.screenshot(path=Path(folder) / f"{picture}-{width}.png")
        page.remove_listener("pageerror", note)
        assert errors == []
        return [Drawn(**panel) for panel in results]

    return of


def wrong(drawn: list[Drawn]) -> str:
    """A line for each problem."""
    return "\n".join(
        f"{panel.title} ({panel.type}): {problem}" for panel in drawn for problem in panel.problems
    )


def shown(board: str, reader: StoreReader, view: View, width: int) -> list[dict[str, Any]]:
    """The panels of a board with the rows that a store has for them."""
    view = q.offered(board, reader, view)
    return [
        asked(panel, view, reader.query(expand(panel["targets"][0]["rawSql"], view)), width)
        for panel in q.BOARDS[board]["panels"]
        if panel.get("targets")
    ]


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("board", q.BOARDS)
def test_a_board_is_drawn_as_it_is_meant(
    draw: Draw, reader: StoreReader, base: Callable[[str], View], board: str, width: int
) -> None:
    panels = shown(board, reader, base(board), width)
    drawn_panels = draw([panel for panel in panels if panel["panel"]["title"] not in RARE], width, board)
    assert {panel.type for panel in drawn_panels if not panel.drawn} <= NOT_IN_PACKAGES
    assert wrong(drawn_panels) == ""


OF_A_MODEL = {"Inputs unlike what was learned", "Features unlike what was learned", "Alarms about the model"}
BREAKS = "Breaks of topics' logs"
SOURCES = "Events of the sources by name"
RARE = OF_A_MODEL | {BREAKS, SOURCES}
"""Panels that have nothing to show of a small run of our own messages whose inputs do not drift and whose
logs are whole."""

METRICS = {
    "auc": 0.43,
    "challenger_evidence": -2.7,
    "intercept/course-a/2026-02-02": -0.61,
    "intercept/course-b/2026-02-09": 0.44,
    "slope": -0.2,
    "input_shift/course-a/2026-02-02": 0.12,
    "event/inputs_shifted/course-a/2026-02-02": 0.12,
    **{f"feature_shift/f{number}": number / 100 for number in range(12)},
}
"""What a bad month has: a model worse than guessing, runs above and below what was foretold, drift."""


@pytest.mark.parametrize("width", WIDTHS)
def test_what_a_good_run_does_not_have_is_drawn_too(
    draw: Draw, tmp_path: Path, whole: View, width: int
) -> None:
    """Values on the other side of 0, beyond 1 and below a half: no axis may leave them out."""
    days = [(whole.start + timedelta(days=day)).date() for day in range(30)]
    rows = [
        (day, name, value * (1 + number / 30))
        for number, day in enumerate(days)
        for name, value in METRICS.items()
    ]
    columns = dict(zip(("day", "metric", "value"), map(list, zip(*rows, strict=True)), strict=True))
    with real_server_or_embedded(tmp_path) as server, fresh_database(server) as address:
        with ClickHouseWriter(address) as writer:
            writer.write("model_metrics", columns | {"model_version": ["m"] * len(rows)})
        with StoreReader(address) as reader:
            panels = shown("model", reader, whole, width)
    drawn_panels = draw(
        [panel for panel in panels if panel["frames"][0]["data"]["values"][0]], width, "model-rare"
    )
    drawn = {panel.title for panel in drawn_panels}
    assert drawn >= OF_A_MODEL | {
        "Course runs above or below what was predicted",
        "Evidence for the challenger",
    }
    assert wrong([panel for panel in drawn_panels if panel.type != "stat"]) == ""


@pytest.mark.parametrize("width", WIDTHS)
def test_breaks_of_logs_and_events_of_sources_are_drawn(
    draw: Draw, tmp_path: Path, just_now: View, width: int
) -> None:
    events: dict[str, list[Any]] = {
        "day": [just_now.start.date()] * 2,
        "topic": ["edx-tracking"] * 2,
        "name": ["play_video", "edx.ui.lms.some_plugin.of_this_installation.opened"],
        "fate": ["translated", "unknown"],
        "process": ["host:1"] * 2,
        "events": [120_000, 3],
        "version": [1, 1],
    }
    row = {
        "at": just_now.start + timedelta(minutes=30),
        "topic": "homeroom.events",
        "partition": 3,
        "topic_id": "9f2c",
        "cause": "deleted",
        "first_offset": 10,
        "last_offset": 2009,
        "records": 2000,
        "detail": "records were deleted before they were read",
    }
    with real_server_or_embedded(tmp_path) as server, fresh_database(server) as address:
        with ClickHouseWriter(address) as writer:
            writer.write("log_breaks", {name: [value] for name, value in row.items()})
            writer.write("source_events", events)
        with StoreReader(address) as reader:
            panels = shown("pipeline", reader, just_now, width)
    drawn_panels = draw([panel for panel in panels if panel["panel"]["title"] in (BREAKS, SOURCES)], width)
    assert len(drawn_panels) == 2
    assert wrong(drawn_panels) == ""


@pytest.mark.parametrize("board", q.BOARDS)
def test_a_board_without_rows_says_so(
    draw: Draw, reader: StoreReader, base: Callable[[str], View], board: str
) -> None:
    panels = shown(board, reader, base(board), WIDTHS[0])
    for panel in panels:
        panel["frames"][0]["data"]["values"] = [[] for _ in panel["frames"][0]["data"]["values"]]
    drawn_panels = draw(panels, WIDTHS[0])
    assert all("No data" in panel.problems for panel in drawn_panels if panel.drawn)
    assert "crash" not in wrong(drawn_panels)


def series(**columns: list[float | None]) -> list[dict[str, Any]]:
    """A frame with a value of each column a day."""
    days = [DAY_MS * number for number in range(len(next(iter(columns.values()))))]
    fields = [{"name": "time", "type": "time"}, *({"name": name, "type": "number"} for name in columns)]
    return [{"schema": {"fields": fields}, "data": {"values": [days, *columns.values()]}}]


def broken(
    kind: str, values: list[dict[str, Any]], *overrides: dict[str, Any], **defaults: Any
) -> dict[str, Any]:
    """A panel of a screen's quarter with settings that may be wrong."""
    panel = {
        "id": 1,
        "title": "A panel",
        "type": kind,
        "fieldConfig": {"defaults": defaults, "overrides": list(overrides)},
        "options": {
            "legend": {"showLegend": True, "displayMode": "list", "placement": "bottom", "calcs": []}
        },
    }
    if kind == "stat":
        panel["options"] = {"reduceOptions": {"calcs": ["lastNotNull"], "values": False}}
    position = {"from": -DAY_MS, "to": 9 * DAY_MS, "left": 0, "top": 0, "width": 300, "height": 300}
    return {"panel": panel, "frames": values, **position}


def override(name: str, **settings: Any) -> dict[str, Any]:
    properties = [{"id": key.replace("__", "."), "value": value} for key, value in settings.items()]
    return {"matcher": {"id": "byName", "options": name}, "properties": properties}


DAY_MS = 86_400_000
LABELLED = series(changes=[1, 2, 3])
LABELLED[0]["schema"]["fields"][1]["labels"] = {"level": "high"}
STEPS = {"mode": "absolute", "steps": [{"value": None, "color": "red"}, {"value": 14, "color": "green"}]}
PAINTED = {"type": "color-background", "mode": "basic"}

WRONG = {
    "matches no field": broken("timeseries", series(a=[1, 2]), override("b", unit="s")),
    "which is not known": broken("table", series(a=[1, 2]), override("a", custom__hidden=True)),
    "setting custom.drawStile is not known": broken(
        "timeseries", series(a=[1, 2]), custom={"drawStile": "bars"}
    ),
    "1 of 2 values are outside 0 to Infinity": broken("timeseries", series(a=[-1, 2]), min=0),
    "1 of 2 points are beyond its axes": broken("timeseries", series(a=[-1, 2]), min=0),
    "has 2 axes": broken("timeseries", series(a=[1, 2], b=[1, 2]), override("b", unit="s")),
    "its unit is short, not h": broken("timeseries", series(clock_hours=[1, 2]), unit="short"),
    "is named so": broken("timeseries", LABELLED),
    "and means red": broken("timeseries", series(high=[1, 2])),
    "a lone point is not drawn": broken("timeseries", series(a=[1, None, 2]), custom={"showPoints": "never"}),
    "written in different units: day,week": broken("stat", series(lead=[30]), unit="d", thresholds=STEPS),
    "of 298 pixels": broken("table", series(a=[1], b=[1], c=[1], d=[1], e=[1], f=[1])),
    "its head is cut": broken("table", series(far_too_long=[1]), custom={"width": 60}),
    "painted as if it had one": broken("table", series(a=[1, None]), custom={"cellOptions": PAINTED}),
    "its title is cut": broken("stat", series(a=[1])),
    "No data": broken("timeseries", series(a=[])),
    "no point was plotted": broken("timeseries", series(a=[None, None])),
}
WRONG["its title is cut"]["panel"]["title"] = "A title that is longer than the panel is wide, by far"


@pytest.mark.parametrize("problem", WRONG)
def test_what_is_wrong_is_found(draw: Draw, problem: str) -> None:
    assert problem in wrong(draw([WRONG[problem]], WIDTHS[0]))


def test_nothing_is_found_where_nothing_is_wrong(draw: Draw) -> None:
    right = broken(
        "timeseries", series(low=[1, 2]), override("low", color={"mode": "fixed", "fixedColor": "green"})
    )
    assert wrong(draw([right], WIDTHS[0])) == ""


def test_where_the_tools_are_missing_it_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda _name: None)
    with pytest.raises(NotInstalledError, match="Grafana's panel code needs node and npm"):
        bundle()


def test_it_is_the_code_of_the_grafana_that_runs() -> None:
    compose = yaml.safe_load((HERE.parents[2] / "docker-compose.yml").read_text("utf-8"))
    assert compose["services"]["grafana"]["image"] == f"grafana/grafana:{version()}"
