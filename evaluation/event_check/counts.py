"""The figures of a checked sample, as plain values: what ``counting`` makes and ``findings`` judges."""

from collections import Counter
from dataclasses import dataclass, field

from sources.formats.translation import Names

MAX_EXAMPLES = 3
"""Examples of a refusal that are kept."""


@dataclass(slots=True)
class RefusalGroup:
    """Records, or fields, that were refused for the same reason. examples: place and detail of some."""

    records: int = 0
    examples: list[tuple[str, str]] = field(default_factory=list)


@dataclass(slots=True)
class CalendarFacts:
    """The newest calendar of a run. Times are epoch seconds; ``ends`` is None where the run has no end."""

    said_at: int
    starts: int
    ends: int | None
    work: frozenset[str]


@dataclass(slots=True)
class RunCounts:
    """What a sample says of one course run, by learners. first, last: of activities, epoch seconds.

    facts: messages by type. submissions, without_object: hand-ins, and those that name no work. scored:
    hand-ins with a score. objects: some names of handed-in work.
    """

    activities: int = 0
    first: int | None = None
    last: int | None = None
    facts: Counter[str] = field(default_factory=Counter)
    submissions: int = 0
    without_object: int = 0
    scored: int = 0
    objects: set[str] = field(default_factory=set)
    calendar: CalendarFacts | None = None


@dataclass(slots=True)
class LearnerCounts:
    """What a sample says of one learner. hours: activities by hour of the day in UTC, [24]."""

    hours: list[int] = field(default_factory=lambda: [0] * 24)
    submissions: int = 0
    enrolled: set[str] = field(default_factory=set)
    active: set[str] = field(default_factory=set)

    @property
    def activities(self) -> int:
        return sum(self.hours)


@dataclass(slots=True)
class Lateness:
    """How late activities came, against the newest event time before them in the file.

    activities: all of them. late: a minute or more. after_close: after their day was closed. quantiles: share
    of the late ones → minutes.
    """

    activities: int = 0
    late: int = 0
    after_close: int = 0
    quantiles: dict[float, int] = field(default_factory=dict)


@dataclass(slots=True)
class ClockOffsets:
    """How far event times are ahead of their records' timestamps, negative where they are behind.

    records: with a timestamp. ahead: by more than a worker takes for a right clock. quantiles: share →
    minutes.
    """

    records: int = 0
    ahead: int = 0
    quantiles: dict[float, int] = field(default_factory=dict)


@dataclass(slots=True)
class RepeatCounts:
    """Activities that came more than once within the whole file.

    repeated, reused: of ``events`` activities those whose id was there before, with the same content, or with
    another. copies: of ``contents`` activities those whose content was there before under another id.
    """

    events: int = 0
    repeated: int = 0
    reused: int = 0
    contents: int = 0
    copies: int = 0


@dataclass(slots=True)
class EventCounts:
    """All figures of a sample.

    records: all. applied, repeats, refused: what a worker does with them. refusals, refused_fields: by reason
    and field. unknown: records by field that is not in the contract. types, kinds, roles, sources: applied
    messages. feedback: those of the feedback topic. first, last: event times of activities, epoch seconds.
    learners: a sample of them, by name; learners_one_in: of so many one; learner_number: how many are there.
    hours: activities by hour of the day in UTC. timezones: registrations by the time zone that they name.
    leap_s, leap_place: the most seconds by which one record moved the newest event time, and where it is.
    jumps: activities by source that moved the file's clock ahead while the next record is behind again.
    names: events of another format by name and what became of them, before a worker saw any.
    """

    clock: str = "live"
    records: int = 0
    applied: int = 0
    repeats: int = 0
    refused: int = 0
    refusals: dict[tuple[str, str], RefusalGroup] = field(default_factory=dict)
    refused_fields: dict[tuple[str, str], RefusalGroup] = field(default_factory=dict)
    unknown: dict[str, int] = field(default_factory=dict)
    types: Counter[str] = field(default_factory=Counter)
    kinds: Counter[str] = field(default_factory=Counter)
    roles: Counter[str] = field(default_factory=Counter)
    sources: Counter[str] = field(default_factory=Counter)
    feedback: int = 0
    first: int | None = None
    last: int | None = None
    runs: dict[str, RunCounts] = field(default_factory=dict)
    learners: dict[str, LearnerCounts] = field(default_factory=dict)
    learners_one_in: int = 1
    learner_number: int = 0
    hours: list[int] = field(default_factory=lambda: [0] * 24)
    timezones: Counter[str] = field(default_factory=Counter)
    leap_s: int = 0
    leap_place: str = ""
    jumps: Counter[str] = field(default_factory=Counter)
    lateness: Lateness = field(default_factory=Lateness)
    offsets: ClockOffsets = field(default_factory=ClockOffsets)
    repeat_counts: RepeatCounts = field(default_factory=RepeatCounts)
    names: Names = field(default_factory=dict)

    @property
    def refused_share(self) -> float:
        """Share of the records that were refused, in [0, 1]."""
        return self.refused / self.records if self.records else 0.0
