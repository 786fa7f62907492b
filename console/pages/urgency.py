"""Today's list cut into parts, so that two minutes are enough to see what is new and what can wait."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import groupby

from console.models import Order, Risk

WEEK_DAYS = 7

WHOLE = {"probability": "The likeliest not to complete first", "changed": "The newest change first"}
"""Orders that have no parts."""


@dataclass(frozen=True, slots=True)
class Part:
    """Neighbours of the list who stand there for one reason."""

    title: str
    risks: tuple[Risk, ...]


def parts(risks: Sequence[Risk], order: Order, as_of: date) -> Iterator[Part]:
    """The parts of a page of the list, in its order."""
    for title, found in groupby(risks, lambda risk: WHOLE.get(order) or _part(risk, as_of)):
        yield Part(title, tuple(found))


def _part(risk: Risk, as_of: date) -> str:
    """Why somebody stands where they stand when the most urgent come first (``console.queries.risks``)."""
    if risk.answered:
        return "Already answered"
    if risk.level == "low":
        return "At low risk"
    if risk.level == "medium":
        return "Fell to medium risk" if risk.previous_level == "high" else "Rose to medium risk"
    days = (as_of - risk.changed_on).days if risk.changed_on else WEEK_DAYS
    if days <= 1:
        return "New at high risk since yesterday"
    return "New at high risk this week" if days < WEEK_DAYS else "At high risk for longer"
