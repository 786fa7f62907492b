"""Where a partition stands in its topics and in event time."""

from dataclasses import dataclass, field

from features.ring import NEVER


@dataclass(slots=True)
class Clock:
    """Where a partition stands. Times are epoch seconds, days are epoch days.

    today: the first day not closed; None before the first event. newest: the largest event time
    seen. ticked: the newest clock tick, doubted: one that no other record has borne out yet. applied: the
    last applied offset of each inbound topic. topics: the topic's id on the broker for which that offset
    counts. lost: offsets that were gone unread.
    """

    today: int | None = None
    newest: int = NEVER
    ticked: int = NEVER
    applied: dict[str, int] = field(default_factory=dict)
    events: int = 0
    duplicates: int = 0
    dead_letters: int = 0
    doubted: int = NEVER
    topics: dict[str, str] = field(default_factory=dict)
    lost: int = 0
