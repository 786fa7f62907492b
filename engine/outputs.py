"""What a processor has to say: messages for the topics and rows for the store, in order."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from schemas.dead_letter import DeadLetter
from schemas.nudge import Nudge, NudgeCancelled, NudgeDecision
from schemas.risk import RiskChange

Columns = dict[str, list[Any]]


@dataclass(slots=True)
class Outputs:
    """Everything that came of some events. Ids are deterministic: said twice, it is the same thing."""

    risk_changes: list[RiskChange] = field(default_factory=list)
    decisions: list[NudgeDecision] = field(default_factory=list)
    nudges: list[Nudge | NudgeCancelled] = field(default_factory=list)
    dead_letters: list[DeadLetter] = field(default_factory=list)
    unknown_fields: dict[str, int] = field(default_factory=dict)
    """Of records applied: how many had each field that the contract does not know."""
    rows: dict[str, Columns] = field(default_factory=dict)
    """Table → column → values, ready for a columnar insert."""

    def add_row(self, table: str, **values: Any) -> None:
        """One row of a table."""
        self.add_rows(table, {name: [value] for name, value in values.items()})

    def add_rows(self, table: str, columns: Mapping[str, Sequence[Any]]) -> None:
        """Rows of a table by column, all of one length."""
        held = self.rows.setdefault(table, {name: [] for name in columns})
        for name, values in columns.items():
            held[name].extend(values)

    def extend(self, other: "Outputs") -> None:
        """Take over everything of another."""
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
