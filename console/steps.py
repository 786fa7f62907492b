"""The suggested step for an instructor, by what the main reason is about. Not what learners are written."""

from console.models import Risk
from console.unwanted import Unwanted
from schemas.risk import RISK_LEVELS, RiskLevel

STEPS: tuple[tuple[tuple[str, ...], str], ...] = (
    (
        ("missed", "late", "early", "ahead", "since_submission", "due", "next_due"),
        "Ask what kept the work from being handed in, and offer a date for it.",
    ),
    (
        ("score", "points", "earned", "reachable"),
        "Go through the feedback on the last result together; point to one thing to practise.",
    ),
    (
        ("silence", "gap"),
        "Write a short personal message: you noticed the silence, and one small thing to come back with.",
    ),
    (
        ("clicks", "active", "ewma", "minutes", "trend", "spread", "kinds"),
        "Ask whether time or interest ran short, and agree on one task for this week.",
    ),
    (
        ("home", "content", "forum", "quiz", "page"),
        "Suggest one next activity of the kind that was dropped.",
    ),
)
"""Beginnings of feature names → what to do. The first that fits."""

ANY = "Ask how the course is going, and what would help most."


GETTING_BETTER = "It is getting better: a word of encouragement is enough."


NOT_IN_WRITING = (
    "Do not write: the learner said no. Speak with them when you meet, or wait until they come to you."
)
WRITTEN = frozenset({"email", "instructor"})
"""Channels by which an instructor's own message would come."""


def welcome(step: str, unwanted: Unwanted | None) -> str:
    """The step as it may be taken with somebody who does not want some messages."""
    if not step or unwanted is None:
        return step
    silent = unwanted.suppressed or unwanted.paused_until is not None
    return NOT_IN_WRITING if silent or WRITTEN & set(unwanted.opted_out) else step


def fell(level: RiskLevel, previous_level: RiskLevel) -> bool:
    """Whether a change of level was one for the better."""
    return RISK_LEVELS.index(level) < RISK_LEVELS.index(previous_level)


def step_of(risk: Risk, features: list[str]) -> str:
    """What to do: nothing at low risk; encourage who is getting better, else by the main reason.

    Better is who fell to this level and is no likelier to be lost now than before. The likelihood alone does
    not say so: a level rises when it is confirmed, and the estimate may have moved down a little by then.
    """
    if risk.level == "low":
        return ""
    level, before = risk.previous_level, risk.previous_probability
    if level is not None and before is not None and fell(risk.level, level) and risk.probability <= before:
        return GETTING_BETTER
    return step_for(features[0] if features else "")


def step_for(feature: str) -> str:
    """What to do about a risk whose main reason is this feature; empty names none."""
    for beginnings, words in STEPS:
        if feature.startswith(beginnings):
            return words
    return ANY
