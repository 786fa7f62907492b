"""The three kinds of panel that the boards use, each with the settings it always has."""

from grafana_foundation_sdk.builders import common as build
from grafana_foundation_sdk.builders import dashboard, stat, table, timeseries
from grafana_foundation_sdk.models import common
from grafana_foundation_sdk.models import dashboard as model

from grafana.clickhouse import SOURCE, Shape, Sql

WIDTH = 24
"""Columns of a board's grid."""


def number(
    title: str, description: str, unit: str, sql: str, steps: list[tuple[float | None, str]] | None = None
) -> stat.Panel:
    """One number, six in a row. ``steps`` colour it: from which value on, None for the lowest."""
    thresholds = dashboard.ThresholdsConfig().mode(model.ThresholdsMode.ABSOLUTE)
    thresholds.steps([model.Threshold(value, colour) for value, colour in steps or [(None, "blue")]])
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
        .thresholds(thresholds)
        .with_target(Sql(sql, Shape.TABLE))
    )


def lines(title: str, description: str, unit: str, sql: str, width: int = WIDTH // 2) -> timeseries.Panel:
    """Lines over time; a text column of the query names them."""
    return (
        timeseries.Panel()
        .title(title)
        .description(description)
        .datasource(SOURCE)
        .unit(unit)
        .min(0)
        .span(width)
        .height(8)
        .interval("10s")  # rows are written no more often
        .line_width(1)
        .fill_opacity(10)
        .show_points(common.VisibilityMode.NEVER)
        .legend(
            build.VizLegendOptions()
            .display_mode(common.LegendDisplayMode.LIST)
            .placement(common.LegendPlacement.BOTTOM)
            .show_legend(True)
            .calcs([])
        )
        .tooltip(
            build.VizTooltipOptions().mode(common.TooltipDisplayMode.MULTI).sort(common.SortOrder.DESCENDING)
        )
        .with_target(Sql(sql, Shape.TIME_SERIES))
    )


def bars(title: str, description: str, sql: str, width: int = WIDTH // 2) -> timeseries.Panel:
    """Counts over time, stacked by the query's text column."""
    return (
        lines(title, description, "short", sql, width)
        .draw_style(common.GraphDrawStyle.BARS)
        .fill_opacity(80)
        .stacking(build.StackingConfig().mode(common.StackingMode.NORMAL))
    )


def rows(title: str, description: str, sql: str, width: int = WIDTH) -> table.Panel:
    """A table. A column's unit, where it has one, is in its name."""
    return (
        table.Panel()
        .title(title)
        .description(description)
        .datasource(SOURCE)
        .unit("none")
        .span(width)
        .height(8)
        .with_target(Sql(sql, Shape.TABLE))
    )
