"""Progress of a partition: applied offsets and event time."""

from dataclasses import dataclass, field

from features.ring import NEVER


@dataclass(slots=True)
class Clock:
    """Progress of a partition. Times are epoch seconds, days are epoch days. Fields are stored by name.

    today: the first day not closed; None before the first event. newest: the largest event time so far.
    ticked: the newest clock tick; doubted: a tick that no other record has confirmed yet. applied: the last
    applied offset of each inbound topic. topics: the id on the broker of the topic that this offset belongs
    to. events, duplicates, dead_letters: records so far. lost: offsets deleted before they were read.
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
