"""A report as one HTML file without external resources: sections of a plot, its meaning and a table.

It is readable in light and dark, on a phone, on paper and with a screen reader: a plot is an image with a
text alternative, and every number in it is in the table below. Independent of the content of the report.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from html import escape
from math import isnan

Cell = str | int | float | None


@dataclass(frozen=True, slots=True)
class Tile:
    """A figure at the top of the page."""

    value: str
    name: str
    note: str = ""


@dataclass(frozen=True, slots=True)
class Table:
    """A table whose first column is the row's header. None and NaN are shown as a dash."""

    head: Sequence[str]
    rows: Sequence[Sequence[Cell]]


@dataclass(frozen=True, slots=True)
class Section:
    """A question, its answer, the definition of the figure, a plot and a table of its numbers."""

    question: str
    answer: str
    definition: str
    table: Table
    plot: str | None = None
    """SVG; if None, the table is shown in its place."""


@dataclass(frozen=True, slots=True)
class Page:
    """A whole report."""

    title: str
    about: str
    sections: Sequence[Section]
    tiles: Sequence[Tile] = ()
    notes: Sequence[str] = field(default=())
    """Limitations of the figures."""


def render(page: Page) -> str:
    """The HTML file of a page."""
    tiles = "".join(_tile(tile) for tile in page.tiles)
    sections = "".join(_section(section, number) for number, section in enumerate(page.sections))
    notes = "".join(f"<li>{escape(note)}</li>" for note in page.notes)
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escape(page.title)}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n"
        f"<header><p class=brand>homeroom</p><h1>{escape(page.title)}</h1>"
        f"<p class=about>{escape(page.about)}</p></header>\n<main>\n"
        + (f'<section class=tiles aria-label="Main figures">{tiles}</section>\n' if tiles else "")
        + f"<div class=plates>\n{sections}</div>\n"
        + (
            f"<section class=notes><h2>What these figures do not say</h2><ul>{notes}</ul></section>\n"
            if notes
            else ""
        )
        + "</main>\n</body>\n</html>\n"
    )


def number(value: Cell) -> str:
    """A cell as text: fractions without the leading zero, integers with thousands separators."""
    if value is None or (isinstance(value, float) and isnan(value)):
        return "–"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, float):
        if abs(value) >= 10:
            return f"{value:,.0f}"
        text = f"{value:.2f}" if abs(value) >= 1 else f"{value:.3f}"
        return text.replace("0.", ".", 1) if abs(value) < 1 else text
    return value


def _tile(tile: Tile) -> str:
    note = f"<span class=note>{escape(tile.note)}</span>" if tile.note else ""
    return (
        f"<div class=tile><strong>{escape(tile.value)}</strong><span>{escape(tile.name)}</span>{note}</div>"
    )


def _section(section: Section, index: int) -> str:
    table = _table(section.table)
    answer = f'<p class=answer id="answer-{index}">{escape(section.answer)}</p>'
    definition = f"<p class=definition>{escape(section.definition)}</p>"
    if section.plot is None:
        return (
            f"<article class=wide><h2>{escape(section.question)}</h2>{answer}{table}{definition}</article>\n"
        )
    picture = f'<div class=plot role=img aria-labelledby="answer-{index}">{section.plot}</div>'
    return (
        f"<article><h2>{escape(section.question)}</h2>{answer}<figure>{picture}"
        f"<figcaption class=definition>{escape(section.definition)}</figcaption></figure>"
        f"<details><summary>The numbers</summary>{table}</details></article>\n"
    )


def _table(table: Table) -> str:
    head = "".join(f"<th scope=col>{escape(name)}</th>" for name in table.head)
    rows = "".join(
        f"<tr><th scope=row>{escape(number(first))}</th>"
        + "".join(f"<td>{escape(number(cell))}</td>" for cell in rest)
        + "</tr>"
        for first, *rest in table.rows
    )
    return (
        f"<div class=scroll tabindex=0><table><thead><tr>{head}</tr></thead>"
        f"<tbody>{rows}</tbody></table></div>"
    )


STYLE = """
:root{color-scheme:light dark;--page:#f6f5f1;--card:#fff;--ink:#1b1e24;--muted:#5d636e;--grid:#e6e4dd;
--ours:#0b5cad;--second:#c2520a;--third:#1d7a52;--fourth:#8b46b5;--fifth:#7a6a00;--line:#e2dfd6}
@media(prefers-color-scheme:dark){:root{--page:#14161a;--card:#1d2026;--ink:#eceae4;--muted:#a3a8b2;
--grid:#31353d;--ours:#74b4ff;--second:#ffab66;--third:#62d3a0;--fourth:#d3a1f5;--fifth:#e0cf5a;--line:#2c3037}}
*{box-sizing:border-box}
body{margin:0;background:var(--page);color:var(--ink);font:16px/1.5 system-ui,-apple-system,"Segoe UI",
Roboto,"Noto Sans","DejaVu Sans",sans-serif}
header,main{max-width:1180px;margin:0 auto;padding:0 20px}
header{padding-top:36px}
.brand{margin:0;font-weight:600;color:var(--ours)}
h1{font-size:clamp(1.6rem,4vw,2.4rem);line-height:1.15;margin:.15em 0 .35em;
letter-spacing:-.01em;text-wrap:balance}
.about{max-width:70ch;color:var(--muted);margin:0 0 24px}
.tiles{display:grid;grid-template-columns:repeat(auto-fit,minmax(120px,1fr));gap:12px;margin-bottom:24px}
.tile{background:var(--card);border:1px solid var(--line);border-radius:12px;padding:14px 16px;display:flex;
flex-direction:column}
.tile strong{font-size:1.9rem;line-height:1.1;font-variant-numeric:tabular-nums;font-weight:650}
.tile .note{color:var(--muted);font-size:.85rem}
.plates{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,460px),1fr));gap:20px}
article{background:var(--card);border:1px solid var(--line);border-radius:12px;padding:20px 22px;min-width:0}
article.wide{grid-column:1/-1}
h2{font-size:1.15rem;line-height:1.3;margin:0 0 .3em}
.answer{margin:0 0 12px;max-width:70ch}
figure{margin:0}
.plot svg{display:block;width:100%;height:auto}
.definition{color:var(--muted);font-size:.88rem;margin:10px 0 0;max-width:80ch}
details{margin-top:10px}
summary{cursor:pointer;color:var(--ours);font-size:.92rem}
.scroll{overflow-x:auto;max-height:26rem;overflow-y:auto;margin-top:8px}
.wide .scroll{max-height:none}
table{border-collapse:collapse;font-size:.9rem;font-variant-numeric:tabular-nums;width:100%}
th,td{padding:5px 12px 5px 0;border-bottom:1px solid var(--line);text-align:right;white-space:nowrap}
th:first-child{text-align:left}
thead th{color:var(--muted);font-weight:500;position:sticky;top:0;background:var(--card);
vertical-align:bottom}
tbody th{font-weight:500}
.notes{margin:28px 0 48px;color:var(--muted);max-width:80ch}
.notes h2{color:var(--ink)}
:focus-visible{outline:2px solid var(--ours);outline-offset:2px}
@media print{body{background:#fff}article{break-inside:avoid}}
"""
