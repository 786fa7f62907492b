"""A query of the ClickHouse data source, for the Foundation SDK's builders.

The SDK has no ClickHouse module. The fields are those of the plugin ``grafana-clickhouse-datasource``
4.20 with its SQL editor.
"""

from dataclasses import dataclass
from enum import IntEnum
from typing import Any

from grafana_foundation_sdk.cog import builder, runtime, variants
from grafana_foundation_sdk.models.common import DataSourceRef

PLUGIN = "grafana-clickhouse-datasource"
PLUGIN_VERSION = "4.20.0"
SOURCE = DataSourceRef(type_val=PLUGIN, uid="${datasource}")
"""Whatever the board's variable ``datasource`` points to."""


class Shape(IntEnum):
    """How the plugin interprets the rows."""

    TIME_SERIES = 0  # a column ``time`` in ascending order; text columns become labels
    TABLE = 1


@dataclass
class ClickHouseQuery(variants.Dataquery):
    """One query; the plugin expands macros (``$__timeFilter``) and variables (``${worker:singlequote}``)."""

    sql: str
    shape: Shape
    ref_id: str = "A"

    def to_json(self) -> dict[str, object]:
        return {
            "datasource": SOURCE,
            "editorType": "sql",
            "format": int(self.shape),
            "pluginVersion": PLUGIN_VERSION,
            "rawSql": self.sql,
            "refId": self.ref_id,
        }

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> "ClickHouseQuery":
        return cls(data["rawSql"], Shape(data["format"]), data["refId"])


@dataclass(frozen=True, slots=True)
class Sql(builder.Builder[ClickHouseQuery]):
    """Builder of a query, which panels expect in place of the query."""

    text: str
    shape: Shape

    def build(self) -> ClickHouseQuery:
        return ClickHouseQuery("\n".join(line.strip() for line in self.text.strip().splitlines()), self.shape)


def register() -> None:
    """Register the query's type, so that the SDK can read boards back from JSON."""
    runtime.Runtime().register_dataquery_variant(runtime.DataqueryConfig(PLUGIN, ClickHouseQuery.from_json))
