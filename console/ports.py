"""The console's interfaces to the rest of the system: implementations are passed in, never imported.

``cli.wiring.console`` implements all of them. Each may be absent: the pages then show pseudonyms, have no
buttons that send anything, answer a what-if with 503, and show neither effects nor the text of proposals.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Protocol

from schemas.errors import HomeroomError
from schemas.inbound import Feedback


@dataclass(frozen=True, slots=True)
class Person:
    """The learner behind a pseudonym: the platform's learner id, and a name."""

    learner: str
    name: str


class Directory(Protocol):
    """Maps pseudonyms to learners. The store has pseudonyms only; instructors need names."""

    def person(self, pseudonym: str) -> Person | None:
        """The learner behind a pseudonym; None if unknown."""
        ...


class OutboxDownError(HomeroomError, RuntimeError):
    """A message could not be published. It may be tried again: its ``event_id`` keeps it one message."""


class Outbox(Protocol):
    """Publishes instructors' messages to the feedback topic."""

    def publish(self, message: Feedback) -> None:
        """Publish a message; returns once the broker has it. Blocks; thread-safe.

        Raises:
            OutboxDownError: it could not be published.
        """
        ...


class UnknownFeatureError(HomeroomError, ValueError):
    """A what-if has an unknown feature or an invalid value; the message says which."""


class NoModelError(HomeroomError, RuntimeError):
    """There is no day package to score with yet."""


@dataclass(frozen=True, slots=True)
class Effect:
    """The effect of a group of features on an estimate: a text, and its part of the change in log-odds."""

    feature: str
    text: str
    contribution: float


@dataclass(frozen=True, slots=True)
class Estimate:
    """The result of a what-if: P(lost) of the described learner, and of the one it is compared with."""

    probability: float
    base_probability: float
    effects: tuple[Effect, ...]
    model_version: str
    model_state: str
    day: date
    """The day of the package: its cohorts and model include the events until its end."""


class WhatIf(Protocol):
    """Scores a described learner with the newest day package, without store or Kafka."""

    def estimate(self, course_run: str, features: Mapping[str, float]) -> Estimate:
        """Estimate P(lost); other features have the median of the course run's cohort. Thread-safe.

        Raises:
            UnknownFeatureError: a feature is unknown, or its value is invalid.
            NoModelError: there is no day package yet.
        """
        ...


@dataclass(frozen=True, slots=True)
class ProposedNudge:
    """A nudge that waits for approval: its variant, campaign, policy and reasons.

    reasons: (feature, text, contribution in log-odds) of the risk change.
    """

    course_run: str
    campaign: str
    variant: str
    policy_version: str
    reasons: tuple[tuple[str, str, float], ...]


class Wording(Protocol):
    """Renders the text of proposals: nobody should approve what they cannot read."""

    def text(self, proposed: ProposedNudge) -> str | None:
        """The message's text; None if the policy of that version is unknown. Thread-safe."""
        ...


@dataclass(frozen=True, slots=True)
class OutcomeCount:
    """How often an outcome happened in an arm; the holdout has no variant."""

    campaign: str
    variant: str
    arm: str
    outcome: str
    known: int
    happened: int


@dataclass(frozen=True, slots=True)
class Difference:
    """A campaign (or one of its variants) against its holdout, with a 95 % interval of the difference.

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
    """Computes differences from counts of outcomes; the intervals stay valid however often one looks."""

    def differences(self, counts: Sequence[OutcomeCount]) -> list[Difference]:
        """The effects by campaign, all variants first, and outcome."""
        ...
