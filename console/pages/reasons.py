"""Formats reasons for the pages: the earlier state muted, and what would lower the risk.

The texts come with the reasons (``online_models/explanations.py``).
"""

import re
from dataclasses import dataclass

from markupsafe import Markup, escape

from console.models import Risk, RiskReason


def muted_before(reason: str) -> Markup:
    """A reason with the earlier state muted: ``no clicks <span …>(before: 97 clicks)</span>``."""
    now, before = _split_reason(reason)
    if not before:
        return escape(reason)
    return Markup('{} <span class="meta">(before: {})</span>').format(now, what_differs(now, before))


def _split_reason(reason: str) -> tuple[str, str]:
    """A reason's current and earlier state; the latter is empty where there is none."""
    now, mark, before = reason.removesuffix(")").partition(" (before: ")
    return (now, before) if mark else (reason, "")


MAX_SHORT_END = 2
LINKING_WORDS = {"of", "in", "on", "than", "not", "from", "this", "these", "the"}
NO_CONTENT = {"yet"}
"""Words that mean nothing alone."""


def what_differs(now: str, before: str) -> str:
    """The earlier state without the words that both share: ``0 %`` of ``work for 0 % of the grade due``.

    The word after the difference is kept, where it is a unit and not a linking word; a short end is kept
    whole.
    """
    new_words, old_words = now.split(" "), before.split(" ")
    shortest = min(len(new_words), len(old_words))
    start = next((index for index in range(shortest) if new_words[index] != old_words[index]), shortest)
    after = next(
        (index for index in range(shortest - start) if new_words[-1 - index] != old_words[-1 - index]),
        shortest - start,
    )
    end = len(old_words) - after
    if len(old_words) - end <= MAX_SHORT_END:
        end = len(old_words)
    elif old_words[end] not in LINKING_WORDS:
        end += 1
    differing = " ".join(old_words[start:end]) if start < len(old_words) - after else before
    return before if differing in NO_CONTENT else differing


RELIEF = re.compile(
    r"(?:as for a typical learner of the course \((?P<typical>.+)\)|(?P<deed>.+)): (?P<percent>\d+) %"
)
"""The format of a relief text, as workers write it."""


@dataclass(frozen=True, slots=True)
class ReliefHint:
    """What would lower the likelihood, and to what probability."""

    how: str
    probability: float


def help_of(reason: RiskReason, risk: Risk) -> ReliefHint | None:
    """What would help against a reason, such as ``no deadline missed, as is typical of the course``.

    None where nothing is known. Reliefs are of the day of the change, and the estimate changes afterwards:
    one above the present estimate (*down* from 55 % to 61 %) is left out.
    """
    match = RELIEF.fullmatch(reason.relief or "")
    if match is None:
        return None
    probability = int(match["percent"]) / 100
    if probability >= round(risk.probability, 2):
        return None
    if not match["typical"]:
        return ReliefHint(match["deed"].replace("active again", "being active again"), probability)
    short = what_differs(_split_reason(reason.text)[0], match["typical"])
    how = match["typical"] if short.endswith("%") else short  # beside the likelihood a bare share misleads
    return ReliefHint(f"{how}, as is typical of the course,", probability)


def most_help(risk: Risk) -> ReliefHint | None:
    """The hint with the lowest probability, of all reasons."""
    hints = [hint for reason in risk.reasons if (hint := help_of(reason, risk)) is not None]
    return min(hints, key=lambda hint: hint.probability, default=None)
