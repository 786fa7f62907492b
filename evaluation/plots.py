"""Plots as inline SVG that takes the colours of the page it stands in, by Matplotlib.

A plot is drawn in placeholder colours, one for each ``Tone``, which become CSS variables of the page: so one
drawing is right in light and in dark. Text stays text. Matplotlib, because axes, ticks and layout are not
this project's subject; it is loaded only when something is drawn.
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

    from evaluation.calibration import Bin

WIDTH, HEIGHT = 4.9, 3.1
"""Inches of 72 units: small, so that text is legible where the page is a phone's."""


class Tone(StrEnum):
    """What a colour stands for; the value is the placeholder that the page's variable replaces."""

    INK = "#010101"
    MUTED = "#020202"
    GRID = "#030303"
    OURS = "#040404"
    SECOND = "#050505"
    THIRD = "#060606"
    FOURTH = "#070707"
    FIFTH = "#080808"


OTHERS = (Tone.SECOND, Tone.THIRD, Tone.FOURTH, Tone.FIFTH)
"""For those that ours is compared with, in their order."""

DASHES = ("solid", "dashed", "dashdot", "dotted", (0, (5, 1, 1, 1, 1, 1)))
"""Lines differ by their dashes too: colour alone does not tell them apart for everybody."""

RC: Any = {
    "svg.fonttype": "none",
    "svg.hashsalt": "homeroom",
    "font.size": 9,
    "axes.edgecolor": Tone.MUTED,
    "axes.labelcolor": Tone.INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": Tone.GRID,
    "grid.linewidth": 0.7,
    "xtick.color": Tone.MUTED,
    "ytick.color": Tone.MUTED,
    "xtick.labelcolor": Tone.INK,
    "ytick.labelcolor": Tone.INK,
    "xtick.major.size": 3,
    "ytick.major.size": 0,
    "text.color": Tone.INK,
    "legend.frameon": False,
    "legend.fontsize": 8.5,
    "lines.linewidth": 1.5,
}


@dataclass(frozen=True, slots=True)
class Axis:
    """What an axis shows, and from where to where; None is by the data."""

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
    tone: Tone
    dash: int = 0


@dataclass(frozen=True, slots=True)
class Spot:
    """A single point with its words beside it."""

    words: str
    x: float
    y: float


@dataclass(frozen=True, slots=True)
class Span:
    """A row of a dot plot: a value, and the interval in which it lies; NaN for none."""

    name: str
    value: float
    low: float
    high: float


def line_plot(lines: Sequence[Line], x: Axis, y: Axis, spots: Sequence[Spot] = ()) -> str:
    """Lines over a common axis, and spots on them."""
    with _canvas(height=HEIGHT + 0.15 * (len(lines) // 2)) as (figure, axes):
        for line in lines:
            style: dict[str, Any] = {"color": line.tone, "linestyle": DASHES[line.dash], "label": line.name}
            if line.tone is Tone.OURS:
                style |= {"linewidth": 2.2, "zorder": 3}
            axes.plot(line.x, line.y, **style)
        for spot in spots:
            axes.plot(spot.x, spot.y, "o", color=Tone.OURS, markersize=7, zorder=4)
            axes.annotate(spot.words, (spot.x, spot.y), xytext=(8, 5), textcoords="offset points")
        _label(axes, x, y)
        if len(lines) > 1:
            figure.legend(loc="outside upper left", ncols=2)
        return _svg(figure)


def bar_plot(at: Sequence[float], heights: Sequence[float], width: float, x: Axis, y: Axis) -> str:
    """Bars of one width at their places."""
    with _canvas() as (figure, axes):
        axes.bar(at, heights, width=width, color=Tone.OURS)
        axes.grid(visible=False, axis="x")
        _label(axes, x, y)
        return _svg(figure)


def calibration_plot(bins: Sequence[Bin], observed: str) -> str:
    """Observed against expected with the diagonal that is right, over how many estimates there are."""
    with _canvas(rows=(3, 1)) as (figure, (above, below)):
        above.plot([0, 1], [0, 1], color=Tone.MUTED, linestyle="dashed", linewidth=1.2)
        above.plot([one.expected for one in bins], [one.observed for one in bins], "o-", color=Tone.OURS)
        above.tick_params(labelbottom=False)
        total = sum(one.estimates for one in bins)
        middles = [(one.low + one.high) / 2 for one in bins]
        shares = [one.estimates / total for one in bins]
        below.bar(middles, shares, width=0.055, color=Tone.SECOND)
        below.grid(visible=False, axis="x")
        _label(above, Axis("", 0, 1), Axis(observed, 0, 1, percent=True))
        _label(below, Axis("estimate", 0, 1, percent=True), Axis("of all", 0, None, percent=True))
        return _svg(figure)


def dot_plot(rows: Sequence[Span], x: Axis, reference: float | None = None) -> str:
    """A dot with its interval for every row, the first on top, and a line at the reference."""
    with _canvas(height=0.9 + 0.21 * len(rows)) as (figure, axes):
        places = range(len(rows), 0, -1)
        for place, row in zip(places, rows, strict=True):
            axes.plot([row.low, row.high], [place, place], color=Tone.OURS, linewidth=1.4)
        axes.plot([row.value for row in rows], list(places), "o", color=Tone.OURS, markersize=5)
        if reference is not None:
            axes.axvline(reference, color=Tone.MUTED, linestyle="dashed", linewidth=1.2)
        axes.set_yticks(list(places), [row.name for row in rows])
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
    """The drawing alone, in the page's colours and as wide as the page says."""
    out = io.StringIO()
    metadata = dict.fromkeys(("Creator", "Date", "Format", "Type"))
    figure.savefig(out, format="svg", transparent=True, metadata=metadata)
    text = out.getvalue()
    box = text[text.index("viewBox=") :].split('"')[1]
    # Names of groups would be there once for each plot of the page; the page says which font.
    body = re.sub(r'<g id="[^"]*">', "<g>", text[text.index("<defs>") :])
    body = re.sub(r"font-family: [^;]*; ", "", body)
    for tone in Tone:
        body = body.replace(tone.value, f"var(--{tone.name.lower()})")
    return f'<svg viewBox="{box}" aria-hidden="true" focusable="false">{body}'
