"""What an audit counts."""

from collections import Counter
from dataclasses import dataclass, field
from typing import Any, Self


@dataclass
class Audit:
    """What was counted. ``violations`` by guard; there should be none."""

    decisions: int = 0
    sent: int = 0
    cancelled: int = 0
    together: int = 0
    """Nudges that came with an earlier one, in one digest."""
    crashes: int = 0
    reasons: Counter[str] = field(default_factory=Counter)
    violations: Counter[str] = field(default_factory=Counter)
    violated: list[str] = field(default_factory=list)
    """Learners with a violation, so that each can be looked at again."""

    @classmethod
    def of(cls, data: dict[str, Any]) -> Self:
        """What ``vars`` gave, by way of JSON."""
        reasons, violations = Counter(data.pop("reasons")), Counter(data.pop("violations"))
        return cls(**data, reasons=reasons, violations=violations)

    def add(self, other: Self) -> None:
        """Count what another audit counted."""
        for name in ("decisions", "sent", "cancelled", "together", "crashes"):
            setattr(self, name, getattr(self, name) + getattr(other, name))
        self.reasons.update(other.reasons)
        self.violations.update(other.violations)
        self.violated += other.violated
