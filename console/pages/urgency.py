"""Splits today's list into sections, so that it is quick to see what is new and what can wait."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import groupby

from console.models import Order, Risk

WEEK_DAYS = 7

WHOLE = {"probability": "The likeliest not to complete first", "changed": "The newest change first"}
"""Orders with a single section → its title."""


@dataclass(frozen=True, slots=True)
class ListSection:
    """Consecutive risks with the same reason for their position."""

    title: str
    risks: tuple[Risk, ...]


def sections(risks: Sequence[Risk], order: Order, as_of: date) -> Iterator[ListSection]:
    """The sections of a page of the list, in its order."""
    for title, neighbours in groupby(risks, lambda risk: WHOLE.get(order) or _section(risk, as_of)):
        yield ListSection(title, tuple(neighbours))


def _section(risk: Risk, as_of: date) -> str:
    """The title of a risk's section in the order of urgency (``console.queries.risks``)."""
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
