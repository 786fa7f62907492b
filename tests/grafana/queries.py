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
        Query(board, "annotation", one["name"], one["target"]["rawSql"], Shape(one["target"]["format"]))
        for one in BOARDS[board]["annotations"]["list"]
        if "target" in one
    ]


def variables(board: str) -> list[Query]:
    """The queries of a board's variables, in the order in which Grafana asks them."""
    return [
        Query(board, "variable", one["name"], one["query"], Shape.TABLE)
        for one in BOARDS[board]["templating"]["list"]
        if one["type"] == "query"
    ]


def offered(board: str, reader: StoreReader, view: View) -> View:
    """The view with the values that every variable offers in it; those of a list come from the board."""
    known: dict[str, tuple[str, ...]] = {}
    for one in BOARDS[board]["templating"]["list"]:
        if one["type"] == "custom":
            known[one["name"]] = tuple(one["query"].split(","))
        elif one["type"] == "textbox":
            known[one["name"]] = (one["query"],)
    for query in variables(board):
        seen = View(view.start, view.end, view.interval, {"learner": ("",)} | dict(view.chosen), known)
        known[query.title] = tuple(str(row[0]) for row in query.run(reader, seen).rows)
    chosen = {name: view.chosen.get(name, (ALL,)) for name in known}
    return View(view.start, view.end, view.interval, chosen, known)
