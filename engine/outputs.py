"""The outputs of a processor: messages for the topics and rows for the store, in order."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from schemas.dead_letter import DeadLetter
from schemas.nudge import Nudge, NudgeCancelled, NudgeDecision
from schemas.risk import RiskChange

Columns = dict[str, list[Any]]


@dataclass(slots=True)
class Outputs:
    """The outputs of some events. Ids are deterministic, so repeated outputs are idempotent."""

    risk_changes: list[RiskChange] = field(default_factory=list)
    decisions: list[NudgeDecision] = field(default_factory=list)
    nudges: list[Nudge | NudgeCancelled] = field(default_factory=list)
    dead_letters: list[DeadLetter] = field(default_factory=list)
    unknown_fields: dict[str, int] = field(default_factory=dict)
    """Field that is not in the contract → number of applied records that had it."""
    rows: dict[str, Columns] = field(default_factory=dict)
    """Table → column → values, ready for a columnar insert."""

    def add_row(self, table: str, **values: Any) -> None:
        """Add one row to a table."""
        self.add_rows(table, {name: [value] for name, value in values.items()})

    def add_rows(self, table: str, columns: Mapping[str, Sequence[Any]]) -> None:
        """Add rows to a table, by column, all of the same length."""
        table_columns = self.rows.setdefault(table, {name: [] for name in columns})
        for name, values in columns.items():
            table_columns[name].extend(values)

    def extend(self, other: "Outputs") -> None:
        """Append all outputs of another."""
        self.risk_changes += other.risk_changes
        self.decisions += other.decisions
        self.nudges += other.nudges
        self.dead_letters += other.dead_letters
        for name, number in other.unknown_fields.items():
            self.unknown_fields[name] = self.unknown_fields.get(name, 0) + number
        for table, columns in other.rows.items():
            self.add_rows(table, columns)

    def __bool__(self) -> bool:
        return bool(self.risk_changes or self.decisions or self.nudges or self.dead_letters or self.rows)
