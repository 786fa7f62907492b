"""What happened to an enrolment as one list: changes of level, decisions, and what people said."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, time

from console.models import Story
from console.pages.rendering import because, likely, said
from console.pages.wishes import wish_detail, wish_title


@dataclass(frozen=True, slots=True)
class Happening:
    """One line of the list. ``kind`` is the level, or the sort of event, for its mark."""

    at: datetime
    kind: str
    title: str
    detail: str = ""


def happenings(story: Story) -> list[Happening]:
    """Everything, the newest first."""
    return sorted(
        [*_changes(story), *_decisions(story), *_words(story), *_wishes(story)],
        key=lambda one: one.at,
        reverse=True,
    )


def _changes(story: Story) -> Iterator[Happening]:
    for change in story.changes:
        yield Happening(
            datetime.combine(change.day, time(), UTC),
            change.level,
            f"From {change.previous_level} to {change.level} risk",
            f"{likely(change.previous_probability)} → {likely(change.probability)}",
        )


def _decisions(story: Story) -> Iterator[Happening]:
    for decision in story.decisions:
        if decision.reason == "level_not_nudged":
            continue  # the change itself says enough
        titles = {"send": "Message to be sent", "hold": "No message", "cancel": "Message cancelled"}
        title = titles.get(decision.decision, decision.decision)
        if decision.reason == "awaiting_approval":
            title = "Message proposed"
        yield Happening(decision.decided_at, decision.decision, title, because(decision.reason))


def _words(story: Story) -> Iterator[Happening]:
    for word in story.words:
        yield Happening(
            word.at, "word", said(word.kind), "" if word.arrived else "on its way into the ledger"
        )


def _wishes(story: Story) -> Iterator[Happening]:
    for wished in story.wishes:
        title = wish_title(wished)
        if title:
            yield Happening(wished.at, "word", title, wish_detail(wished))
