"""The counts of an audit."""

from collections import Counter
from dataclasses import dataclass, field
from typing import Any, Self


@dataclass
class Audit:
    """Counts of decisions, messages and violations by guard; there should be no violations."""

    decisions: int = 0
    sent: int = 0
    cancelled: int = 0
    together: int = 0
    """Nudges that were sent in one digest with an earlier one."""
    crashes: int = 0
    reasons: Counter[str] = field(default_factory=Counter)
    violations: Counter[str] = field(default_factory=Counter)
    violated: list[str] = field(default_factory=list)
    """Learners with a violation, so that each can be audited again."""

    @classmethod
    def of(cls, data: dict[str, Any]) -> Self:
        """An audit from the JSON of its ``vars``."""
        reasons, violations = Counter(data.pop("reasons")), Counter(data.pop("violations"))
        return cls(**data, reasons=reasons, violations=violations)

    def add(self, other: Self) -> None:
        """Add another audit's counts."""
        for name in ("decisions", "sent", "cancelled", "together", "crashes"):
            setattr(self, name, getattr(self, name) + getattr(other, name))
        self.reasons.update(other.reasons)
        self.violations.update(other.violations)
        self.violated += other.violated
