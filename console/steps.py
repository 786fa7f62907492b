"""The suggested next step for an instructor, by the main reason. Learners do not read it."""

from console.models import Risk
from console.restrictions import Restrictions
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
"""Prefixes of feature names → the step; the first match counts."""

DEFAULT_STEP = "Ask how the course is going, and what would help most."


ENCOURAGE = "It is getting better: a word of encouragement is enough."


NOT_IN_WRITING = (
    "Do not write: the learner said no. Speak with them when you meet, or wait until they come to you."
)
WRITTEN = frozenset({"email", "instructor"})
"""Channels of an instructor's own messages."""


def respect_restrictions(step: str, restrictions: Restrictions | None) -> str:
    """The step, or another one where the learner's restrictions forbid to write to them."""
    if not step or restrictions is None:
        return step
    no_messages = restrictions.suppressed or restrictions.paused_until is not None
    return NOT_IN_WRITING if no_messages or WRITTEN & set(restrictions.opted_out) else step


def is_fall(level: RiskLevel, previous_level: RiskLevel) -> bool:
    """Whether a change of level lowers the risk."""
    return RISK_LEVELS.index(level) < RISK_LEVELS.index(previous_level)


def step_of(risk: Risk, features: list[str]) -> str:
    """The step: none at low risk; encouragement where the risk is falling, else by the main reason.

    The risk is falling if the level fell and the probability is not higher than before. The probability alone
    is not enough: a level rises when it is confirmed, and the estimate may have fallen a little by then.
    """
    if risk.level == "low":
        return ""
    level, before = risk.previous_level, risk.previous_probability
    if level is not None and before is not None and is_fall(risk.level, level) and risk.probability <= before:
        return ENCOURAGE
    return step_for(features[0] if features else "")


def step_for(feature: str) -> str:
    """The step for a main reason about this feature; empty for no reason."""
    for prefixes, step in STEPS:
        if feature.startswith(prefixes):
            return step
    return DEFAULT_STEP
