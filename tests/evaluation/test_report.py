"""The report: one file that loads nothing, every number beside its plot, whatever there is to show."""

import re
from functools import cache
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from evaluation.figures import Figures, figures
from evaluation.page import Page, Section, Table, number, render
from evaluation.plots import Axis, Colour, DotRow, Line, bar_plot, dot_plot, line_plot
from evaluation.report import page
from evaluation.saving import save
from tests.evaluation.tables import outcomes_of, table_of

VOID = {"meta", "link", "br", "img", "input", "hr"}


class Reader(HTMLParser):
    """Notes tags that are left open, and what would be loaded."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.loaded: list[str] = []
        self.seen: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append(tag)
        if tag not in VOID:
            self.open.append(tag)
        for name, value in attrs:
            if name in ("src", "href", "xlink:href", "action") and not (value or "").startswith("#"):
                self.loaded.append(f"{tag} {name}={value}")

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self.open.pop()


def read(html: str) -> Reader:
    reader = Reader()
    reader.feed(html)
    assert reader.open == []
    return reader


@cache
def some(*more: str) -> Figures:
    rng = np.random.default_rng(3)
    lost = (rng.random(60) < 0.5).tolist()
    outcomes = outcomes_of(lost, [40.0 if one else np.nan for one in lost], ["AAA", "BBB"] * 30)
    rows = []
    for who in range(60):
        risk = np.clip(rng.normal(0.3 + 0.4 * lost[who], 0.2, 50), 0, 1).tolist()
        rows += [(who, day, risk[day], int(risk[day] > 0.7)) for day in range(1, 50)]
    mine = [row for row in rows if row[0] % 2 == 0]
    names = more or ("alert",)
    both = [table_of(mine, *names), table_of([row for row in rows if row[0] % 2], *names, module="BBB")]
    return figures(pa.concat_tables(both), outcomes)


@cache
def report() -> str:
    return render(page(some(), {"other": some()}, ["2014B"]))


def test_the_report_is_one_file_that_loads_nothing() -> None:
    html = report()
    reader = read(html)
    assert reader.loaded == []
    assert "script" not in reader.seen
    assert not re.findall(r"url\((?!#)|@import", html)
    assert reader.seen.count("svg") == 8
    assert reader.seen.count("table") == 10, "every plot has its numbers, and two plates are tables"


def test_plots_take_the_page_s_colours_and_have_words_for_those_who_cannot_see() -> None:
    html = report()
    pictures = re.findall(r"<svg.*?</svg>", html, re.DOTALL)
    assert not [colour for one in pictures for colour in re.findall(r"#[0-9a-fA-F]{6}\b", one)]
    used = set(re.findall(r"var\((--[a-z]+)\)", html))
    for scheme in re.findall(r":root\{([^}]*)\}", html):
        assert used <= set(re.findall(r"(--[a-z]+):", scheme))
    described = re.findall(r'role=img aria-labelledby="([^"]+)"', html)
    assert len(described) == len(pictures)
    assert all(f'id="{name}"' in html for name in described)


def test_without_alerts_their_plates_are_left_out() -> None:
    html = render(page(some("other"), {}, ["2014B"]))
    assert "How many alerts is that?" not in html
    assert "How many alerts is that?" in report()
    read(html)


def test_exit_risk_has_its_plate_where_there_is_one() -> None:
    assert "Does exit risk say who leaves soon?" in render(page(some("exit_risk"), {}, ["2014B"]))
    assert "Does exit risk say" not in report()


def test_the_same_figures_give_the_same_file() -> None:
    assert report() == render(page(some(), {"other": some()}, ["2014B"]))


def test_what_is_shown_is_escaped(tmp_path: Path) -> None:
    plate = Section("<b>?", "a & b", "<i>", Table(["<u>"], [["<s>", 1.5]]))
    save({}, Page("<x>", "<y>", [plate], notes=["<z>"]), tmp_path / "new" / "page.html", None)
    html = (tmp_path / "new" / "page.html").read_text(encoding="utf-8")
    assert not {"b", "i", "u", "s", "x", "y", "z"} & set(read(html).seen)
    assert "a &amp; b" in html


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (0.8752, ".875"),
        (-0.01, "-.010"),
        (1.107, "1.11"),
        (30.0, "30"),
        (1613, "1,613"),
        (None, "–"),
        (float("nan"), "–"),
        ("BBB", "BBB"),
        (1.0, "1.00"),
    ],
)
def test_numbers_as_they_are_shown(value: float | str | None, shown: str) -> None:
    assert number(value) == shown


def test_every_kind_of_plot_draws_what_it_is_given() -> None:
    lines = [Line("one", [1, 2], [0.1, 0.2], Colour.OURS), Line("two", [1, 2], [0.3, 0.1], Colour.SECOND, 1)]
    drawn = line_plot(lines, Axis("days"), Axis("AUC"))
    assert all(word in drawn for word in (">one<", ">two<", ">days<", ">AUC<"))
    assert ">AAA<" in dot_plot([DotRow("AAA", 0.8, 0.7, 0.9)], Axis("AUC"), 0.8)
    assert bar_plot([1, 2, 3], [1, 2, 3], 0.8, Axis("a"), Axis("b")).count("fill: var(--ours)") == 3
