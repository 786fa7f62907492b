"""The declaration of a table: its columns' types and its key."""

from dataclasses import dataclass

DAY = "Date"
TIME = "DateTime('UTC')"
NAME = "LowCardinality(String)"
PARTITION = "UInt16"
VERSION = "UInt64"
"""Grows whenever a key's row is computed anew, and is the same whenever a replay computes it again."""


@dataclass(frozen=True, slots=True)
class Table:
    """A table of the store.

    columns: name → ClickHouse type. key: the columns that identify a row: of rows with the same key a merge
    keeps the one with the highest ``version`` (where there is such a column), else the last inserted. Merges
    happen some time after the insert, so a reader that must not see duplicates uses ``FINAL`` or aggregates
    over the key.
    """

    name: str
    purpose: str
    columns: dict[str, str]
    key: tuple[str, ...]
