"""The outcomes that are measured after a decision, and when they are known.

Four outcomes, each a yes or no, of every exposure and of both arms alike:

``active_7``, ``active_14``
    Any activity in the course run within 7 (14) days, the day of the decision the first of them. Known
    when the last of these days closes.
``exit``
    Withdrew, or failed after more than 28 silent days before the end. The lower, the better.
``completion``
    Passed. Both this and ``exit`` are known when the run has ended, not when a withdrawal comes in:
    until then only the bad ones would be known.

On the day of the decision the first hours lie before it. They do so in both arms, so they take nothing
from the comparison; but a share of *active* is not to be read as *came back because of*.
"""

from dataclasses import dataclass
from typing import Literal, get_args

OutcomeName = Literal["active_7", "active_14", "exit", "completion"]
OUTCOMES: tuple[OutcomeName, ...] = get_args(OutcomeName)

WINDOWS: dict[OutcomeName, int] = {"active_7": 7, "active_14": 14}
"""Days, the day of the decision included."""

REWARD: OutcomeName = "active_7"
"""The outcome that the bandit learns from: the one that is known first."""

STAGES = WINDOWS[REWARD]
"""A decision has one stage for each day of its window; at the last one the reward is known."""

LOWER_IS_BETTER: frozenset[OutcomeName] = frozenset({"exit"})


@dataclass(frozen=True, slots=True)
class EnrolmentResult:
    """How an enrolment ended; known once its run has ended."""

    passed: bool
    left: bool


@dataclass(frozen=True, slots=True)
class Outcome:
    """One outcome of an exposure; ``known_on`` is the epoch day at whose close it was known."""

    name: OutcomeName
    happened: bool
    known_on: int


def windows_closing(decided_on: int, today: int) -> tuple[OutcomeName, ...]:
    """The outcomes of a decision of day ``decided_on`` whose window ends with day ``today``."""
    return tuple(name for name, days in WINDOWS.items() if decided_on + days - 1 == today)


def stage_of(decided_on: int, today: int) -> int:
    """The stage, from 0, of a decision of day ``decided_on`` at the close of ``today``."""
    return today - decided_on


def activity_outcome(name: OutcomeName, decided_on: int, last_active: int, today: int) -> Outcome:
    """Whether there was activity in a window that ends today; ``last_active``: an epoch day."""
    return Outcome(name, last_active >= decided_on, today)


def run_end_outcomes(result: EnrolmentResult, today: int) -> tuple[Outcome, Outcome]:
    """The two outcomes that are known at a run's end."""
    return Outcome("exit", result.left, today), Outcome("completion", result.passed, today)
