"""Every topic: its name, messages, key, partitions and retention. The only list."""

from dataclasses import dataclass
from typing import Any, Literal

from pydantic import TypeAdapter

from schemas.dead_letter import DeadLetter
from schemas.inbound import course_fact_adapter, event_adapter, feedback_adapter
from schemas.learning import DayPackage, DayReport
from schemas.nudge import NudgeDecision, nudge_adapter
from schemas.quality import DataQualityEvent
from schemas.receipt import NudgeReceipt
from schemas.risk import RiskChange

Partitions = Literal["input", "one"]
Cleanup = Literal["delete", "compact", "compact,delete"]
Direction = Literal["in", "out", "own"]
"""Of a topic, as others see it: they publish to it, they consume it, or it is internal."""


@dataclass(frozen=True, slots=True)
class TopicSpec:
    """A topic's contract. ``partitions`` are as many as the input's, or one."""

    name: str
    direction: Direction
    purpose: str
    key: str
    partitions: Partitions
    cleanup: Cleanup
    adapter: TypeAdapter[Any] | None
    """None where the value is not JSON: the packed state rows."""


EVENTS = TopicSpec(
    "homeroom.events",
    "in",
    "activity, enrolment facts, calendars and clock ticks, from platforms",
    "learner; calendars and ticks go to every partition",
    "input",
    "delete",
    event_adapter,
)
COURSE_FACTS = TopicSpec(
    "homeroom.course-facts",
    "in",
    "calendars of course runs, published once for all partitions, from platforms",
    "course_run",
    "one",
    "compact",
    course_fact_adapter,
)
FEEDBACK = TopicSpec(
    "homeroom.feedback",
    "in",
    "feedback on nudges and learners' preferences, from notifiers and platforms",
    "learner",
    "input",
    "delete",
    feedback_adapter,
)
STATE = TopicSpec(
    "homeroom.state",
    "own",
    "packed state rows of enrolments and partitions, co-partitioned with the events",
    "row",
    "input",
    "compact",
    None,
)
DAY_REPORTS = TopicSpec(
    "homeroom.day-reports",
    "own",
    "what each partition says at the end of a day: cohorts and matured examples",
    "partition",
    "one",
    "delete",
    TypeAdapter(DayReport),
)
DAY_PACKAGES = TopicSpec(
    "homeroom.day-packages",
    "own",
    "what the trainer answers: model snapshot and cohort profiles of the day",
    "day",
    "one",
    "compact",
    TypeAdapter(DayPackage),
)
RISK_CHANGES = TopicSpec(
    "homeroom.risk-changes",
    "out",
    "confirmed transitions between risk levels, with reasons",
    "learner",
    "input",
    "delete",
    TypeAdapter(RiskChange),
)
NUDGES = TopicSpec(
    "homeroom.nudges",
    "out",
    "messages for notifiers to deliver, and cancellations of those not yet due",
    "learner",
    "input",
    "delete",
    nudge_adapter,
)
RECEIPTS = TopicSpec(
    "homeroom.nudge-receipts",
    "own",
    "what notifiers tried and what became of it: their memory",
    "nudge",
    "one",
    "compact,delete",
    TypeAdapter(NudgeReceipt),
)
DECISIONS = TopicSpec(
    "homeroom.nudge-decisions",
    "out",
    "the ledger: every decision on a risk change, the no included",
    "learner",
    "input",
    "delete",
    TypeAdapter(NudgeDecision),
)
DATA_QUALITY = TopicSpec(
    "homeroom.data-quality",
    "out",
    "sources that went quiet or mad, and that are back",
    "source",
    "one",
    "delete",
    TypeAdapter(DataQualityEvent),
)
DEAD_LETTERS = TopicSpec(
    "homeroom.dead-letters",
    "out",
    "records that could not be applied, with the reason",
    "topic:partition",
    "one",
    "delete",
    TypeAdapter(DeadLetter),
)

TOPICS: tuple[TopicSpec, ...] = (
    EVENTS,
    COURSE_FACTS,
    FEEDBACK,
    STATE,
    DAY_REPORTS,
    DAY_PACKAGES,
    RISK_CHANGES,
    NUDGES,
    RECEIPTS,
    DECISIONS,
    DATA_QUALITY,
    DEAD_LETTERS,
)
