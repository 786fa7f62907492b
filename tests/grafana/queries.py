"""Every query that Grafana would send: of panels, variables and annotations, from the boards' JSON."""

import json
from dataclasses import dataclass
from typing import Any

from grafana import build
from grafana.clickhouse import Shape
from sinks.store import Result, StoreReader
from tests.grafana.macros import ALL, View, expand

FILES: dict[str, dict[str, Any]] = {name: json.loads(text) for name, text in build.documents().items()}
BOARDS = {
    name.removeprefix("boards/").removesuffix(".json"): content
    for name, content in FILES.items()
    if name.startswith("boards/")
}


@dataclass(frozen=True, slots=True)
class Query:
    """One query, by the board and the title under which a reader sees it."""

    board: str
    kind: str
    title: str
    sql: str
    shape: Shape

    def __str__(self) -> str:
        return f"{self.board}: {self.title} ({self.kind})"

    def run(self, reader: StoreReader, view: View) -> Result:
        """What the store answers to a reader who sees ``view``."""
        return reader.query(expand(self.sql, view))


def panels(board: str) -> list[Query]:
    """The queries of a board's panels."""
    return [
        Query(board, panel["type"], panel["title"], target["rawSql"], Shape(target["format"]))
        for panel in BOARDS[board]["panels"]
        for target in panel.get("targets", ())
    ]


def annotations(board: str) -> list[Query]:
    """The queries of a board's annotations."""
    return [
        Query(
            board,
            "annotation",
            annotation["name"],
            annotation["target"]["rawSql"],
            Shape(annotation["target"]["format"]),
        )
        for annotation in BOARDS[board]["annotations"]["list"]
        if "target" in annotation
    ]


def variables(board: str) -> list[Query]:
    """The queries of a board's variables, in the order in which Grafana asks them."""
    return [
        Query(board, "variable", variable["name"], variable["query"], Shape.TABLE)
        for variable in BOARDS[board]["templating"]["list"]
        if variable["type"] == "query"
    ]


def offered(board: str, reader: StoreReader, view: View) -> View:
    """The view with the values that every variable offers in it; those of a list come from the board."""
    values: dict[str, tuple[str, ...]] = {}
    for variable in BOARDS[board]["templating"]["list"]:
        if variable["type"] == "custom":
            values[variable["name"]] = tuple(variable["query"].split(","))
        elif variable["type"] == "textbox":
            values[variable["name"]] = (variable["query"],)
    for query in variables(board):
        sub_view = View(view.start, view.end, view.interval, {"learner": ("",)} | dict(view.chosen), values)
        values[query.title] = tuple(str(row[0]) for row in query.run(reader, sub_view).rows)
    chosen = {name: view.chosen.get(name, (ALL,)) for name in values}
    return View(view.start, view.end, view.interval, chosen, values)
