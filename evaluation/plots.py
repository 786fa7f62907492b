"""Plots as inline SVG in the colours of the surrounding page, by Matplotlib.

A plot is drawn in placeholder colours, one for each ``Colour``, which are replaced by CSS variables of the
page: so one drawing fits light and dark. Text remains text. Matplotlib is imported only when something is
drawn.
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from evaluation.calibration import ReliabilityBin

WIDTH, HEIGHT = 4.9, 3.1
"""Inches of 72 units: small, so that text is legible where the page is a phone's."""


class Colour(StrEnum):
    """The role of a colour; its value is the placeholder that the page's variable replaces."""

    INK = "#010101"
    MUTED = "#020202"
    GRID = "#030303"
    OURS = "#040404"
    SECOND = "#050505"
    THIRD = "#060606"
    FOURTH = "#070707"
    FIFTH = "#080808"


COMPARED_COLOURS = (Colour.SECOND, Colour.THIRD, Colour.FOURTH, Colour.FIFTH)
"""Colours of the methods that ours is compared with, in their order."""

DASHES = ("solid", "dashed", "dashdot", "dotted", (0, (5, 1, 1, 1, 1, 1)))
"""Lines differ by their dashes too, for readers who cannot distinguish colours."""

RC: Any = {
    "svg.fonttype": "none",
    "svg.hashsalt": "homeroom",
    "font.size": 9,
    "axes.edgecolor": Colour.MUTED,
    "axes.labelcolor": Colour.INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": Colour.GRID,
    "grid.linewidth": 0.7,
    "xtick.color": Colour.MUTED,
    "ytick.color": Colour.MUTED,
    "xtick.labelcolor": Colour.INK,
    "ytick.labelcolor": Colour.INK,
    "xtick.major.size": 3,
    "ytick.major.size": 0,
    "text.color": Colour.INK,
    "legend.frameon": False,
    "legend.fontsize": 8.5,
    "lines.linewidth": 1.5,
}


@dataclass(frozen=True, slots=True)
class Axis:
    """Label and limits of an axis; None is by the data."""

    label: str
    low: float | None = None
    high: float | None = None
    percent: bool = False


@dataclass(frozen=True, slots=True)
class Line:
    """A named line; NaN leaves a gap."""

    name: str
    x: Sequence[float]
    y: Sequence[float]
    colour: Colour
    dash: int = 0


@dataclass(frozen=True, slots=True)
class Marker:
    """A single point with a label."""

    label: str
    x: float
    y: float


@dataclass(frozen=True, slots=True)
class DotRow:
    """A row of a dot plot: a value and its interval; NaN for none."""

    name: str
    value: float
    low: float
    high: float


def line_plot(lines: Sequence[Line], x: Axis, y: Axis, markers: Sequence[Marker] = ()) -> str:
    """Lines over a common axis, with markers."""
    with _canvas(height=HEIGHT + 0.15 * (len(lines) // 2)) as (figure, axes):
        for line in lines:
            style: dict[str, Any] = {"color": line.colour, "linestyle": DASHES[line.dash], "label": line.name}
            if line.colour is Colour.OURS:
                style |= {"linewidth": 2.2, "zorder": 3}
            axes.plot(line.x, line.y, **style)
        for marker in markers:
            axes.plot(marker.x, marker.y, "o", color=Colour.OURS, markersize=7, zorder=4)
            axes.annotate(marker.label, (marker.x, marker.y), xytext=(8, 5), textcoords="offset points")
        _label(axes, x, y)
        if len(lines) > 1:
            figure.legend(loc="outside upper left", ncols=2)
        return _svg(figure)


def bar_plot(positions: Sequence[float], heights: Sequence[float], width: float, x: Axis, y: Axis) -> str:
    """Bars of one width. positions: of their centres."""
    with _canvas() as (figure, axes):
        axes.bar(positions, heights, width=width, color=Colour.OURS)
        axes.grid(visible=False, axis="x")
        _label(axes, x, y)
        return _svg(figure)


def calibration_plot(bins: Sequence[ReliabilityBin], observed: str) -> str:
    """A reliability diagram with the diagonal, above the distribution of the estimates."""
    with _canvas(rows=(3, 1)) as (figure, (above, below)):
        above.plot([0, 1], [0, 1], color=Colour.MUTED, linestyle="dashed", linewidth=1.2)
        above.plot(
            [bin_.expected for bin_ in bins], [bin_.observed for bin_ in bins], "o-", color=Colour.OURS
        )
        above.tick_params(labelbottom=False)
        total = sum(bin_.estimates for bin_ in bins)
        middles = [(bin_.low + bin_.high) / 2 for bin_ in bins]
        shares = [bin_.estimates / total for bin_ in bins]
        below.bar(middles, shares, width=0.055, color=Colour.SECOND)
        below.grid(visible=False, axis="x")
        _label(above, Axis("", 0, 1), Axis(observed, 0, 1, percent=True))
        _label(below, Axis("estimate", 0, 1, percent=True), Axis("of all", 0, None, percent=True))
        return _svg(figure)


def dot_plot(rows: Sequence[DotRow], x: Axis, reference: float | None = None) -> str:
    """A dot with its interval for every row, the first on top, and a line at the reference."""
    with _canvas(height=0.9 + 0.21 * len(rows)) as (figure, axes):
        positions = range(len(rows), 0, -1)
        for position, row in zip(positions, rows, strict=True):
            axes.plot([row.low, row.high], [position, position], color=Colour.OURS, linewidth=1.4)
        axes.plot([row.value for row in rows], list(positions), "o", color=Colour.OURS, markersize=5)
        if reference is not None:
            axes.axvline(reference, color=Colour.MUTED, linestyle="dashed", linewidth=1.2)
        axes.set_yticks(list(positions), [row.name for row in rows])
        axes.grid(visible=False, axis="y")
        axes.locator_params(axis="x", nbins=6)
        _label(axes, x, Axis("", 0.4, len(rows) + 0.6))
        return _svg(figure)


@contextmanager
def _canvas(rows: tuple[int, ...] = (), height: float = HEIGHT) -> Iterator[tuple[Figure, Any]]:
    import matplotlib  # noqa: PLC0415 - takes half a second to load, and few commands draw
    from matplotlib.figure import Figure  # noqa: PLC0415

    with matplotlib.rc_context(RC):
        figure = Figure(figsize=(WIDTH, height), layout="constrained")
        if rows:
            yield figure, figure.subplots(len(rows), sharex=True, height_ratios=rows)
        else:
            yield figure, figure.subplots()


def _label(axes: Axes, x: Axis, y: Axis) -> None:
    from matplotlib.ticker import PercentFormatter  # noqa: PLC0415

    axes.set(xlabel=x.label, ylabel=y.label)
    axes.set_xlim(x.low, x.high)
    axes.set_ylim(y.low, y.high)
    if x.percent:
        axes.xaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    if y.percent:
        axes.yaxis.set_major_formatter(PercentFormatter(1, decimals=0))


def _svg(figure: Figure) -> str:
    """The SVG element, with the page's colours and without width, height and font."""
    out = io.StringIO()
    metadata = dict.fromkeys(("Creator", "Date", "Format", "Type"))
    figure.savefig(out, format="svg", transparent=True, metadata=metadata)
    text = out.getvalue()
    box = text[text.index("viewBox=") :].split('"')[1]
    # Ids of groups would be repeated in each plot of the page; the font is set by the page.
    body = re.sub(r'<g id="[^"]*">', "<g>", text[text.index("<defs>") :])
    body = re.sub(r"font-family: [^;]*; ", "", body)
    for colour in Colour:
        body = body.replace(colour.value, f"var(--{colour.name.lower()})")
    return f'<svg viewBox="{box}" aria-hidden="true" focusable="false">{body}'
