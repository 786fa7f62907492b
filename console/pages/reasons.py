"""Reasons as pages say them: what was before in a softer voice, and what would bring the risk down.

The words themselves come with the reasons (``online_models/explanations.py``).
"""

import re
from dataclasses import dataclass

from markupsafe import Markup, escape

from console.models import Risk, Why


def muted_before(reason: str) -> Markup:
    """A reason with what was before in a softer voice: ``no clicks <span …>(before: 97 clicks)</span>``."""
    now, before = _told(reason)
    if not before:
        return escape(reason)
    return Markup('{} <span class="meta">(before: {})</span>').format(now, what_differs(now, before))


def _told(reason: str) -> tuple[str, str]:
    """What a reason says of now, and of before; the latter empty where it says nothing."""
    now, mark, before = reason.removesuffix(")").partition(" (before: ")
    return (now, before) if mark else (reason, "")


SHORT_END = 2
LINKING = {"of", "in", "on", "than", "not", "from", "this", "these", "the"}
ALONE = {"yet"}
"""Says nothing by itself."""


def what_differs(now: str, before: str) -> str:
    """What was before, without the words that both share: ``0 %`` of ``work for 0 % of the grade due``.

    The word that follows what differs stays with it, where it is a unit and no linking word; a short end
    stays whole.
    """
    new, old = now.split(" "), before.split(" ")
    shortest = min(len(new), len(old))
    start = next((at for at in range(shortest) if new[at] != old[at]), shortest)
    after = next((at for at in range(shortest - start) if new[-1 - at] != old[-1 - at]), shortest - start)
    end = len(old) - after
    if len(old) - end <= SHORT_END:
        end = len(old)
    elif old[end] not in LINKING:
        end += 1
    found = " ".join(old[start:end]) if start < len(old) - after else before
    return before if found in ALONE else found


RELIEF = re.compile(
    r"(?:as for a typical learner of the course \((?P<typical>.+)\)|(?P<deed>.+)): (?P<percent>\d+) %"
)
"""A relief as the worker says it."""


@dataclass(frozen=True, slots=True)
class Help:
    """What would bring the likelihood down, and to what."""

    how: str
    probability: float


def help_of(reason: Why, risk: Risk) -> Help | None:
    """What would help against one reason of a risk: ``no deadline missed, as is typical of the course``.

    None where nothing is known to. Reliefs are of the day of the change, and estimates move on: nobody is
    told that a learner at 55 % would come *down* to 61 %.
    """
    found = RELIEF.fullmatch(reason.relief or "")
    if found is None:
        return None
    probability = int(found["percent"]) / 100
    if probability >= round(risk.probability, 2):
        return None
    if not found["typical"]:
        return Help(found["deed"].replace("active again", "being active again"), probability)
    short = what_differs(_told(reason.text)[0], found["typical"])
    how = found["typical"] if short.endswith("%") else short  # beside the likelihood a bare share misleads
    return Help(f"{how}, as is typical of the course,", probability)


def most_help(risk: Risk) -> Help | None:
    """What would help most, of all reasons."""
    found = [one for reason in risk.reasons if (one := help_of(reason, risk)) is not None]
    return min(found, key=lambda one: one.probability, default=None)
