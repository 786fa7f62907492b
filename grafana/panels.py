"""The kinds of panel that the boards use, with their common settings."""

from collections.abc import Mapping, Sequence
from typing import TypeVar

from grafana_foundation_sdk.builders import (
    bargauge,
    dashboard,
    stat,
    statushistory,
    table,
    timeseries,
    trend,
)
from grafana_foundation_sdk.builders import common as build
from grafana_foundation_sdk.models import common
from grafana_foundation_sdk.models import dashboard as model

from grafana.clickhouse import SOURCE, Shape, Sql

Panel = stat.Panel | timeseries.Panel | table.Panel | statushistory.Panel | bargauge.Panel | trend.Panel
Chart = TypeVar("Chart", timeseries.Panel, trend.Panel)
Steps = Sequence[tuple[float | None, str]]

WIDTH = 24
"""Columns of a board's grid."""

WALL_CLOCK = "10s"
"""Minimum interval between two points of the pipeline's health, whose rows are written no more often."""

DAILY = "1d"
"""Minimum interval where a row is a day."""

WHOLE_DAYS = "suffix: days"
"""Unit of numbers of days: Grafana's own would show 30 days as 4.29 weeks."""

LEAST_PX = 50
"""Minimum width of a table's column; Grafana's default of 150 pixels pushes the last columns out of view."""

LEARNER_PX, RUN_PX, TIME_PX, MOMENT_PX = 150, 170, 170, 195
"""Widths of columns that many tables have: a pseudonym, a course run, a time, one with milliseconds."""

LEVEL_COLOURS = {"low": "green", "medium": "yellow", "high": "red"}

MEANINGS = LEVEL_COLOURS | {
    "to high": "red",
    "from high": "green",
    "serving": "green",
    "stale": "orange",
    "warming_up": "blue",
    "14 days and more": "green",
    "1 to 13 days": "yellow",
    "when gone": "orange",
    "never": "red",
    "new": "green",
    "withdrawn": "orange",
    "lost": "orange",
    "estimated": "blue",
    "diagonal": "text",
}
"""Series name → its colour on every board. A test holds every chart to them."""


def above(yellow: float, red: float) -> Steps:
    """Green below, then yellow, then red."""
    return [(None, "green"), (yellow, "yellow"), (red, "red")]


def below(yellow: float, green: float) -> Steps:
    """Red below the first, then yellow, green from the second on."""
    return [(None, "red"), (yellow, "yellow"), (green, "green")]


def number(title: str, description: str, unit: str, sql: str, steps: Steps | None = None) -> stat.Panel:
    """One number, six in a row. steps: (value from which on, colour), with None for the lowest."""
    return (
        stat.Panel()
        .title(title)
        .description(description)
        .datasource(SOURCE)
        .unit(unit)
        .span(WIDTH // 6)
        .height(4)
        .reduce_options(build.ReduceDataOptions().calcs(["lastNotNull"]).values(False))
        .graph_mode(common.BigValueGraphMode.NONE)
        .thresholds(_thresholds(steps or [(None, "blue")]))
        .with_target(Sql(sql, Shape.TABLE))
    )


def word(title: str, description: str, sql: str, colours: Mapping[str, str]) -> stat.Panel:
    """One word, six in a row, in its colour."""
    panel = number(title, description, "string", sql)
    panel.reduce_options(build.ReduceDataOptions().calcs(["lastNotNull"]).fields("/.*/").values(False))
    results = {value: model.ValueMappingResult(color=colour) for value, colour in colours.items()}
    return panel.mappings([model.ValueMap(options=results)])


def lines(
    title: str,
    description: str,
    unit: str,
    sql: str,
    width: int = WIDTH // 2,
    interval: str = WALL_CLOCK,
) -> timeseries.Panel:
    """Lines over time; the axis starts at 0, or below where there are negative values.

    A text column of the query names the lines; the number beside it must be ``AS Value``, the only name that
    Grafana leaves out of the line's. Without a text column the names are those of the columns.
    """
    return (
        timeseries.Panel()
        .title(title)
        .description(description)
        .datasource(SOURCE)
        .unit(unit)
        .axis_soft_min(0)
        .span(width)
        .height(8)
        .interval(interval)
        .line_width(1)
        .fill_opacity(10)
        .show_points(common.VisibilityMode.AUTO)
        .legend(_legend())
        .tooltip(_tooltip())
        .with_target(Sql(sql, Shape.TIME_SERIES))
    )


def bars(
    title: str, description: str, sql: str, width: int = WIDTH // 2, interval: str = WALL_CLOCK
) -> timeseries.Panel:
    """Counts over time, stacked."""
    return (
        lines(title, description, "short", sql, width, interval)
        .draw_style(common.GraphDrawStyle.BARS)
        .fill_opacity(80)
        .stacking(build.StackingConfig().mode(common.StackingMode.NORMAL))
    )


def heat(title: str, description: str, sql: str, width: int = WIDTH, height: int = 12) -> statushistory.Panel:
    """A row for each name and a cell for each time, from green (0) to red (1)."""
    return (
        statushistory.Panel()
        .title(title)
        .description(description)
        .datasource(SOURCE)
        .unit("percentunit")
        .decimals(0)
        .min(0)
        .max(1)
        .span(width)
        .height(height)
        .interval(DAILY)
        .color_scheme(dashboard.FieldColor().mode(model.FieldColorModeId.CONTINUOUS_GR_YL_RD))
        .row_height(0.9)
        .col_width(0.95)
        .show_value(common.VisibilityMode.AUTO)
        .legend(_legend().show_legend(False))
        .tooltip(_tooltip())
        .with_target(Sql(sql, Shape.TIME_SERIES))
    )


def steps(title: str, description: str, sql: str, width: int = WIDTH // 2) -> bargauge.Panel:
    """A bar for each column of a query's one row, from the first step to the last."""
    return (
        bargauge.Panel()
        .title(title)
        .description(description)
        .datasource(SOURCE)
        .unit("short")
        .min(0)
        .span(width)
        .height(8)
        .orientation(common.VizOrientation.HORIZONTAL)
        .display_mode(common.BarGaugeDisplayMode.GRADIENT)
        .name_placement(common.BarGaugeNamePlacement.LEFT)
        .show_unfilled(True)
        .reduce_options(build.ReduceDataOptions().calcs(["lastNotNull"]).values(False))
        .thresholds(_thresholds([(None, "blue")]))
        .with_target(Sql(sql, Shape.TABLE))
    )


def curve(title: str, description: str, unit: str, x: str, sql: str, width: int = WIDTH // 2) -> trend.Panel:
    """Lines over another column than time: ``x``, in ascending order."""
    return (
        trend.Panel()
        .title(title)
        .description(description)
        .datasource(SOURCE)
        .unit(unit)
        .min(0)
        .max(1)
        .span(width)
        .height(8)
        .x_field(x)
        .show_points(common.VisibilityMode.ALWAYS)
        .legend(_legend())
        .tooltip(_tooltip())
        .with_target(Sql(sql, Shape.TABLE))
    )


def rows(title: str, description: str, sql: str, width: int = WIDTH, height: int = 8) -> table.Panel:
    """A table whose texts wrap, so that none is cut. A column's unit, where it has one, is in its name or set
    with :func:`as_unit`; what is not given a width with :func:`sized` shares what is left."""
    return (
        table.Panel()
        .title(title)
        .description(description)
        .datasource(SOURCE)
        .unit("none")
        .span(width)
        .height(height)
        .cell_height(common.TableCellHeight.SM)
        .min_width(LEAST_PX)
        .override_by_field_type("string", [model.DynamicConfigValue("custom.wrapText", True)])
        .with_target(Sql(sql, Shape.TABLE))
    )


def coloured(panel: Chart, *names: str) -> Chart:
    """Give lines or bars the colours of their names in ``MEANINGS``. The names are columns of the query, not
    values of a text column, so that they always exist."""
    for name in names:
        panel.override_by_name(
            name, [model.DynamicConfigValue("color", {"mode": "fixed", "fixedColor": MEANINGS[name]})]
        )
    return panel


def as_unit(panel: table.Panel, unit: str, *names: str) -> table.Panel:
    """Set the unit of a table's columns."""
    for name in names:
        panel.override_by_name(name, [model.DynamicConfigValue("unit", unit)])
    return panel


UNKNOWN = {
    "type": "special",
    "options": {"match": "null+nan", "result": {"text": "", "color": "transparent"}},
}
"""Missing values are transparent: Grafana would show a future week as red as one in which nobody stayed."""


def as_heat(panel: table.Panel, pattern: str) -> table.Panel:
    """Show columns whose names match as shares, coloured from red (0) to green (1). A pattern without slashes
    must match the whole name: Grafana puts ``^`` and ``$`` around it."""
    return panel.override_by_regexp(
        pattern,
        [
            model.DynamicConfigValue("unit", "percentunit"),
            model.DynamicConfigValue("decimals", 0),
            model.DynamicConfigValue("min", 0),
            model.DynamicConfigValue("max", 1),
            model.DynamicConfigValue("color", {"mode": "continuous-RdYlGr"}),
            model.DynamicConfigValue("mappings", [UNKNOWN]),
            model.DynamicConfigValue("custom.cellOptions", {"type": "color-background", "mode": "basic"}),
        ],
    )


def as_levels(panel: table.Panel, *names: str) -> table.Panel:
    """Show columns that hold a level in the level's colour."""
    options = {
        level: {"color": colour, "index": index}
        for index, (level, colour) in enumerate(LEVEL_COLOURS.items())
    }
    for name in names:
        panel.override_by_name(
            name,
            [
                model.DynamicConfigValue("mappings", [{"type": "value", "options": options}]),
                model.DynamicConfigValue("custom.cellOptions", {"type": "color-text"}),
                model.DynamicConfigValue("custom.width", 80),
            ],
        )
    return panel


def linked(panel: table.Panel, name: str, title: str, url: str) -> table.Panel:
    """Link the cells of a column to a URL."""
    return panel.override_by_name(name, [model.DynamicConfigValue("links", [{"title": title, "url": url}])])


def sized(panel: table.Panel, pixels: int, *names: str) -> table.Panel:
    """Set the width of columns, in pixels."""
    for name in names:
        panel.override_by_name(name, [model.DynamicConfigValue("custom.width", pixels)])
    return panel


def hidden(panel: table.Panel, *names: str) -> table.Panel:
    """Hide columns that only links or other columns use."""
    for name in names:
        panel.override_by_name(name, [model.DynamicConfigValue("custom.hideFrom.viz", True)])
    return panel


def _thresholds(values: Steps) -> dashboard.ThresholdsConfig:
    mode = dashboard.ThresholdsConfig().mode(model.ThresholdsMode.ABSOLUTE)
    return mode.steps([model.Threshold(value, colour) for value, colour in values])


def _legend() -> build.VizLegendOptions:
    return (
        build.VizLegendOptions()
        .display_mode(common.LegendDisplayMode.LIST)
        .placement(common.LegendPlacement.BOTTOM)
        .show_legend(True)
        .calcs([])
    )


def _tooltip() -> build.VizTooltipOptions:
    return build.VizTooltipOptions().mode(common.TooltipDisplayMode.MULTI).sort(common.SortOrder.DESCENDING)


REASONS = """arrayStringConcat(reasons, '; ') AS reasons,
        arrayStringConcat(arrayFilter(one -> one != '', reliefs), '; ') AS would_help"""
"""Columns of a table of risk changes: reasons, and what would lower the estimate, and to what."""
