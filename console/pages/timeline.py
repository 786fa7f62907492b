"""An enrolment's timeline: changes of level, decisions, feedback and wishes in one list."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, time

from console.models import Story
from console.pages.rendering import feedback_label, likely, reason_text
from console.pages.wishes import wish_detail, wish_title


@dataclass(frozen=True, slots=True)
class TimelineEntry:
    """One entry. ``kind`` is the level or the kind of event, as a CSS class."""

    at: datetime
    kind: str
    title: str
    detail: str = ""


def timeline(story: Story) -> list[TimelineEntry]:
    """All entries, the newest first."""
    return sorted(
        [*_changes(story), *_decisions(story), *_feedback(story), *_wishes(story)],
        key=lambda entry: entry.at,
        reverse=True,
    )


def _changes(story: Story) -> Iterator[TimelineEntry]:
    for change in story.changes:
        yield TimelineEntry(
            datetime.combine(change.day, time(), UTC),
            change.level,
            f"From {change.previous_level} to {change.level} risk",
            f"{likely(change.previous_probability)} → {likely(change.probability)}",
        )


def _decisions(story: Story) -> Iterator[TimelineEntry]:
    for decision in story.decisions:
        if decision.reason == "level_not_nudged":
            continue  # the change itself says enough
        titles = {"send": "Message to be sent", "hold": "No message", "cancel": "Message cancelled"}
        title = titles.get(decision.decision, decision.decision)
        if decision.reason == "awaiting_approval":
            title = "Message proposed"
        yield TimelineEntry(decision.decided_at, decision.decision, title, reason_text(decision.reason))


def _feedback(story: Story) -> Iterator[TimelineEntry]:
    for event in story.words:
        yield TimelineEntry(
            event.at,
            "word",
            feedback_label(event.kind),
            "" if event.arrived else "on its way into the ledger",
        )


def _wishes(story: Story) -> Iterator[TimelineEntry]:
    for change in story.wishes:
        title = wish_title(change)
        if title:
            yield TimelineEntry(change.at, "word", title, wish_detail(change))
