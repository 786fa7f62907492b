"""Fields of messages that the contract does not know: counted by name, so that nothing vanishes unseen.

A platform that sends one means something by it: a field misspelt, or one of a version that is not this one.
The record is applied without it. What is counted here is said once a day and partition (``unknown_fields`` in
the store).

Names are the platform's, so they are bounded: what is not a plain name, and what comes after the first
``MOST`` names of a day, is counted together.
"""

import re
from collections.abc import Iterable, Mapping
from datetime import date
from typing import Any

from pydantic_core import from_json

from engine.outputs import Columns
from schemas.activity import ActivityEvent
from schemas.enrolment import (
    ClockTick,
    Completed,
    CourseCalendar,
    Deadline,
    Enrolled,
    Extension,
    Graded,
    ProgressReport,
    Withdrawn,
)
from schemas.learner import NudgeFeedback, Preferences

MOST = 64
OTHERS = "others"

_PLAIN = re.compile(r"[A-Za-z_][A-Za-z0-9_-]{0,47}")

_KNOWN: Mapping[str, frozenset[str]] = {
    "activity": frozenset(ActivityEvent.__annotations__),
    "enrolled": frozenset(Enrolled.__annotations__),
    "withdrawn": frozenset(Withdrawn.__annotations__),
    "completed": frozenset(Completed.__annotations__),
    "graded": frozenset(Graded.__annotations__),
    "progress": frozenset(ProgressReport.__annotations__),
    "extension": frozenset(Extension.__annotations__),
    "calendar": frozenset(CourseCalendar.__annotations__),
    "tick": frozenset(ClockTick.__annotations__),
    "feedback": frozenset(NudgeFeedback.__annotations__),
    "preferences": frozenset(Preferences.__annotations__),
}
_OF_A_DEADLINE = frozenset(Deadline.__annotations__)


def names_in(value: bytes) -> tuple[str, ...]:
    """The unknown fields of a valid message's JSON, each as ``type.field``, in order; usually none."""
    message: dict[str, Any] = from_json(value)
    kind = message["type"]
    found = {f"{kind}.{_plain(name)}" for name in message.keys() - _KNOWN[kind]}
    for deadline in message["deadlines"] if kind == "calendar" else ():
        found |= {f"{kind}.deadlines.{_plain(name)}" for name in deadline.keys() - _OF_A_DEADLINE}
    return tuple(sorted(found))


def _plain(name: str) -> str:
    return name if _PLAIN.fullmatch(name) else OTHERS


def bounded(counts: dict[str, int], names: Iterable[str], number: int = 1) -> None:
    """Count names, of which ``MOST`` are told apart; the first ones are."""
    for name in names:
        known = name if name in counts or len(counts) < MOST else OTHERS
        counts[known] = counts.get(known, 0) + number


def rows(counts: Mapping[str, int], day: date, partition: int, version: int) -> Columns:
    """The counts of a day as rows of the store."""
    fields = sorted(counts)
    return {
        "day": [day] * len(fields),
        "field": fields,
        "partition": [partition] * len(fields),
        "records": [counts[name] for name in fields],
        "version": [version] * len(fields),
    }
