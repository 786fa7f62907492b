"""What the console asks of the rest of the system, as interfaces: it is handed in, never imported.

``cli.wiring.console`` fills all of them. Each may be absent: the page then shows pseudonyms, has no buttons
that send anything, answers a what-if with 503, and knows neither effects nor what a message would say.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Protocol

from schemas.errors import HomeroomError
from schemas.inbound import Feedback


@dataclass(frozen=True, slots=True)
class Person:
    """Who a pseudonym stands for: the platform's learner id, and what to call them."""

    learner: str
    name: str


class Directory(Protocol):
    """Who is who. The store knows pseudonyms only; an instructor has to write to somebody."""

    def person(self, pseudonym: str) -> Person | None:
        """The learner behind a pseudonym; None where nobody has told."""
        ...


class OutboxDownError(HomeroomError, RuntimeError):
    """A message could not be published. It may be tried again: its ``event_id`` keeps it one message."""


class Outbox(Protocol):
    """The way of people's words into the pipeline: the feedback topic."""

    def publish(self, message: Feedback) -> None:
        """Return once the broker has it. Blocks; thread-safe. Raises ``OutboxDownError``."""
        ...


class UnknownFeatureError(HomeroomError, ValueError):
    """A what-if names a feature that there is not, or a value that is none; the message says which."""


class NoModelError(HomeroomError, RuntimeError):
    """There is no day package yet to score with."""


@dataclass(frozen=True, slots=True)
class Effect:
    """What a group of features does to an estimate: words, and its part of the change in log-odds."""

    feature: str
    text: str
    contribution: float


@dataclass(frozen=True, slots=True)
class Estimate:
    """A what-if's answer: P(lost) of the described learner, and of the one it started from."""

    probability: float
    base_probability: float
    effects: tuple[Effect, ...]
    model_version: str
    model_state: str
    day: date
    """Of the package: its cohorts and model know the events before the end of this day."""


class WhatIf(Protocol):
    """Scores a described learner with the newest day package; no store and no Kafka is asked."""

    def estimate(self, course_run: str, features: Mapping[str, float]) -> Estimate:
        """Every feature not given is that of the middle of the course run's cohort.

        Raises ``UnknownFeatureError`` or ``NoModelError``. Thread-safe.
        """
        ...


@dataclass(frozen=True, slots=True)
class Proposed:
    """A nudge that waits for a yes: which variant of which campaign of which policy, on which reasons.

    reasons: feature, words, and contribution in log-odds, as the risk change had them.
    """

    course_run: str
    campaign: str
    variant: str
    policy_version: str
    reasons: tuple[tuple[str, str, float], ...]


class Wording(Protocol):
    """What a proposal would say to the learner: nobody should approve what they cannot read."""

    def text(self, proposed: Proposed) -> str | None:
        """The message's words; None where the policy of that version is not known here. Thread-safe."""
        ...


@dataclass(frozen=True, slots=True)
class OutcomeCount:
    """How often an outcome happened among those of an arm; the holdout has no variant."""

    campaign: str
    variant: str
    arm: str
    outcome: str
    known: int
    happened: int


@dataclass(frozen=True, slots=True)
class Difference:
    """What a campaign (or one of its variants) did against its holdout: shares, difference, 95 % interval.

    judgement: helps, harms, or not yet known.
    """

    campaign: str
    variant: str
    outcome: str
    nudged: int
    nudged_share: float
    held_out: int
    held_out_share: float
    low: float
    high: float
    judgement: str


class Effects(Protocol):
    """Turns counts of outcomes into differences with intervals that hold however often one looks."""

    def of(self, counted: Sequence[OutcomeCount]) -> list[Difference]:
        """The effects by campaign, all variants first, and outcome."""
        ...
