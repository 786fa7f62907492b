"""Messages between partitions and the trainer: day reports to it, day packages from it.

All of it is data. Arrays are sent as compressed bytes with a declared type and shape, and read with
``numpy.frombuffer``; a model is its numbers. Nothing that comes from a topic is executed.
"""

from typing import Annotated, Literal

from pydantic import Base64Bytes, Field, JsonValue

from schemas.fields import CourseRun, Day, Fraction, Id, Message
from schemas.packed import PackedArray
from schemas.quality import DayQuality, SourceCounts

Item = Annotated[str, Field(max_length=128)]
"""An object of the platform, or the empty name where a learner has not begun."""

Count = Annotated[int, Field(ge=1)]
Weight = Annotated[float, Field(ge=0.0)]


class TrainingExample(Message):
    """A snapshot of an enrolment whose outcome has become certain."""

    enrolment: Id = Field(description="pseudonym of learner and course run; orders and identifies")
    course_run: CourseRun
    season: Annotated[int, Field(ge=0, le=3)] = Field(
        description="quarter of the year in which the course run began"
    )
    day: Day = Field(description="the snapshot's day: features of events before it")
    matured: Day = Field(description="the day on which the label became known")
    label: bool = Field(description="lost: withdrawn or failed")
    exits: bool = Field(description="left within the exit horizon from the snapshot's day on")
    weight: Annotated[float, Field(gt=0.0)] = 1.0
    probability: Fraction = Field(description="the serving model's estimate on the snapshot's day")
    served: bool = Field(description="false where the estimate was the warming-up prior")
    codes: Base64Bytes = Field(description="one byte a feature: its bin")
    ranks: Base64Bytes = Field(description="one byte a feature: its rank in the cohort, 0–255")


class CarriedEnrolment(Message):
    """An enrolment of an account that was merged into another one, as its partition has it."""

    course_run: CourseRun
    row: Base64Bytes = Field(description="its row in the state, of the layout that the account names")
    work: dict[str, Base64Bytes] = Field(description="by assessment: its cell of hand-ins and grades")
    attributes: dict[str, JsonValue]
    trail: dict[str, JsonValue] | None
    exposures: list[list[JsonValue]]
    codes: Base64Bytes | None = Field(
        description="one byte a feature: its bin at the close of the day; none if it is not in force"
    )


class CarriedAccount(Message):
    """What an account that was merged into another one had at the close of a day."""

    learner: Id = Field(description="the account that goes")
    into: Id = Field(description="the account that stays")
    day: Day
    layout: int = Field(description="version of the enrolments' rows")
    partition: int | None = Field(
        None, description="of the account that stays; none while that one has not heard of the merge"
    )
    claimed: Day | None = Field(None, description="the day whose package first named the partition")
    former: list[Id] = Field(description="accounts that were merged into the one that goes")
    history: dict[str, JsonValue] = Field(description="the learner's nudges and wishes")
    enrolments: list[CarriedEnrolment]


def _is_empty(value: object) -> bool:
    return not value


class DayReport(Message):
    """One partition's report of one day.

    Earlier releases sent it in several parts. Now it is one message, whose bytes are split into several
    records where they are many.
    """

    type: Literal["day_report"] = "day_report"
    version: Literal[1] = 1
    partition: Annotated[int, Field(ge=0)]
    day: Day
    part: Annotated[int, Field(ge=0)]
    parts: Annotated[int, Field(ge=1)]
    features: str = Field(description="fingerprint of the feature declarations that made it")
    cohorts: dict[CourseRun, PackedArray] = Field(
        default_factory=dict, description="per run: counts int32 [feature, bin]"
    )
    deadlines: dict[CourseRun, PackedArray] = Field(
        default_factory=dict,
        description="per run: what its enrolments did with each deadline, int64 [counted, deadline]",
    )
    leaving: dict[CourseRun, PackedArray] = Field(
        default_factory=dict,
        description="per run: exits predicted, withdrawals observed, and how learners left, int64 [counted]",
    )
    hours: dict[CourseRun, PackedArray] = Field(
        default_factory=dict,
        description="per run: active hours of the last 28 days by hour of the week in UTC, int32 [168]",
    )
    sources: list[SourceCounts] = Field(default_factory=list)
    together: dict[CourseRun, PackedArray] = Field(
        default_factory=dict,
        description="per run: learners of the day, int32 [2, kind]: active in another kind, and in this too",
    )
    examples: list[TrainingExample] = Field(default_factory=list)
    choices: dict[str, PackedArray] = Field(
        default_factory=dict,
        description="per campaign/variant: sums over the outcomes known today, int32 [input, input + 1]",
    )
    early: dict[str, PackedArray] = Field(
        default_factory=dict,
        description="per campaign/variant: sums so far over decisions whose outcome is not known, "
        "int32 [days since, input, input + 1]",
    )
    carried: list[CarriedAccount] = Field(
        default_factory=list,
        description="accounts of the partition that were merged into others",
        exclude_if=_is_empty,
    )
    claims: dict[Id, Id] = Field(
        default_factory=dict,
        description="accounts that were merged into one of the partition: old name → new name",
        exclude_if=_is_empty,
    )
    renames: dict[CourseRun, CourseRun] = Field(
        default_factory=dict, description="new names of course runs, by the old one", exclude_if=_is_empty
    )
    transitions: dict[CourseRun, dict[Item, dict[Item, Count]]] = Field(
        default_factory=dict,
        description="per run: from the item at which learners had stopped to those they came back to, and "
        "how many did; from the empty name where they began",
    )


class ModelSnapshot(Message):
    """A model's numbers: enough to score with it, and to resume learning from it exactly."""

    type: Literal["model_snapshot"] = "model_snapshot"
    version: Literal[1] = 1
    model: str = Field(description="the estimator's name and schema, e.g. 'lost/ftrl-1'")
    model_version: str
    features: str
    examples: Annotated[int, Field(ge=0)]
    positives: Annotated[int, Field(ge=0)]
    warming_up: bool
    state: dict[str, JsonValue] = Field(description="the numbers of every expert and of their mixture")


class ModelEvent(Message):
    """A change of the model, or of what it learns from, that its operator should know."""

    day: Day
    what: Literal[
        "inputs_shifted",  # a run's enrolments are unlike those that were learned from
        "inputs_settled",
        "loss_rose",  # the estimates of a course became worse than they were
        "loss_fell",
        "challenger_promoted",
    ]
    of: str = Field(description="the course run, the course, or the model version")
    value: float = Field(
        description="the stability index, the change of the squared error, or the count of promotions"
    )


class DayPackage(Message):
    """All that a partition needs to score day ``day + 1``; one a day, on a compacted topic."""

    type: Literal["day_package"] = "day_package"
    version: Literal[1] = 1
    day: Day = Field(description="the day closed by all partitions")
    features: str
    cohorts: dict[CourseRun, PackedArray] = Field(
        description="per run: rank uint8 [feature, bin], mid-rank in the cohort × 255"
    )
    deadlines: dict[CourseRun, PackedArray] = Field(
        default_factory=dict,
        description="per run: what the whole cohort did with each deadline, int64 [counted, deadline]",
    )
    intercepts: dict[CourseRun, float] = Field(
        default_factory=dict, description="per run: what is added to the log-odds of both of its estimates"
    )
    leaving: dict[str, PackedArray] = Field(
        default_factory=dict,
        description="per active run: exits predicted up to its last withdrawal, withdrawals observed, and "
        "exits predicted since, int64 [3]",
    )
    left: dict[str, PackedArray] = Field(
        default_factory=dict,
        description="per course: learners who left its ended runs, and those of them who withdrew, int64 [2]",
    )
    hours: dict[CourseRun, PackedArray] = Field(
        default_factory=dict, description="per run: active hours by hour of the week in UTC, int32 [168]"
    )
    choices: dict[str, PackedArray] = Field(
        default_factory=dict,
        description="per campaign/variant: sums over all outcomes so far, int32 [input, input + 1]",
    )
    early: dict[str, PackedArray] = Field(
        default_factory=dict,
        description="per campaign/variant: sums by today over decisions whose outcome is not known, "
        "int32 [days since, input, input + 1]",
    )
    policy: dict[str, JsonValue] | None = Field(
        None, description="the nudge policy in force on day `day + 1`; None: each worker's default"
    )
    next_items: dict[CourseRun, dict[Item, dict[Item, Weight]]] = Field(
        default_factory=dict,
        description="per run and item: the items that learners who had stopped at it did next, with decayed "
        "counts",
    )
    carried: list[CarriedAccount] = Field(
        default_factory=list,
        description="accounts that were merged into others, for the partitions of those",
        exclude_if=_is_empty,
    )
    course_facts: Annotated[int, Field(ge=-1)] = Field(
        -1, description="the offset up to which the course facts are known on day `day + 1`; −1: none are"
    )
    course_facts_topic: str = Field("", description="the id on the broker of the topic of this offset")
    model: ModelSnapshot
    metrics: dict[str, float] = Field(default_factory=dict, description="progressive, so far")
    quality: DayQuality = Field(default_factory=DayQuality)
    challenger: ModelSnapshot | None = Field(None, description="learns beside the model, may replace it")
    open_model: ModelSnapshot | None = Field(
        None,
        description="of runs without an end; left out while there has been no example of one",
        exclude_if=lambda snapshot: snapshot is None,
    )
    drift: dict[str, JsonValue] = Field(default_factory=dict, description="the state of drift detection")
    events: list[ModelEvent] = Field(default_factory=list)
