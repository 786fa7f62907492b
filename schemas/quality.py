"""Data quality: partitions' counts of each source, and events when a source is silent or abnormal."""

from typing import Annotated, Literal

from pydantic import Field, JsonValue

from schemas.fields import CourseRun, Day, Id, Instant, Message
from schemas.packed import PackedArray

UNNAMED = "unnamed"
"""The source's name for events that name none."""

Fault = Literal[
    "duplicates",  # an event id that was seen before
    "ahead",  # of the clock: the source's is fast
    "behind",  # the clock: sent late, or the source's is slow
    "unknown_kind",  # refused: a kind outside the vocabulary
    "invalid",  # refused: a field missing or wrong
    "future",  # refused: further ahead of the clock than the tolerance
    "without_object",  # the object of the activity is missing
    "without_duration",
]
"""What can be wrong with single records of a source."""

Problem = Literal["quiet", Fault]

Alarm = Literal[
    "opened",
    "closed",  # the source is as it was before
    "accepted",  # it stayed as it is for so long that this counts as its new rhythm
]


class SourceCounts(Message):
    """One partition's counts of a source in a course run on a day; those of all partitions add up."""

    source: Id
    course_run: CourseRun
    hours: PackedArray = Field(description="events applied, int32 [kind, hour of the day in UTC]")
    faults: dict[Fault, Annotated[int, Field(ge=0)]] = Field(default_factory=dict)


class QualityVerdict(Message):
    """A source, or its part of a course run or kind, whose data are not to be trusted on a day."""

    source: Id
    course_run: CourseRun | None = Field(description="None: all of the source's runs")
    kind: str | None = Field(description="None: all kinds")
    problem: Problem
    since: Day = Field(description="the first day on which it was so")
    observed: float = Field(description="events of the day; of a fault, its share of the records")
    expected: float = Field(description="by the source's own rhythm")
    surprise: float = Field(description="decimal places before the probability's first digit; 8 is 1 in 10⁸")
    course_runs: list[CourseRun] = Field(description="whose learners are affected")


class DataQualityEvent(Message):
    """A verdict was opened or closed. Keyed by the source; the same events give the same ``event_id``."""

    type: Literal["data_quality"] = "data_quality"
    version: Literal[1] = 1
    event_id: Id
    alarm: Alarm
    day: Day = Field(description="the day at whose close the verdict changed")
    occurred_at: Instant = Field(description="the end of that day")
    verdict: QualityVerdict


class DayQuality(Message):
    """Data quality in a day package."""

    verdicts: list[QualityVerdict] = Field(default_factory=list, description="in force for the day")
    events: list[DataQualityEvent] = Field(default_factory=list)
    rhythm: dict[str, JsonValue] = Field(
        default_factory=dict, description="the watch's state: every stream's own rhythm"
    )
