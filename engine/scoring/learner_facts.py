"""What the store is told of a learner besides clicks: a row for each thing that happened or was said.

Facts make a learner's history readable (``homeroom why``) and let a policy be tried on the past. They are
written with pseudonyms; a fact's id is one too, since platforms may put anything into an event's id.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

import orjson

WISHES = ("timezone", "opted_out", "paused_until", "digest", "suppressed")
AUTHORS = ("said_by", "reason", "source")
"""Who said it and why: kept where it is told who, since that decides whether a *no* is taken back."""


@dataclass(frozen=True, slots=True)
class Fact:
    """A row of ``learner_facts`` before its learner has a pseudonym. ``at``: epoch seconds."""

    learner: str
    course_run: str
    at: int
    fact: str
    fact_id: str
    nudge_id: str = ""
    detail: str = ""


def enrolment_fact(fact: dict[str, Any]) -> Fact:
    """Of an enrolment, a withdrawal or a result."""
    return Fact(
        fact["learner"],
        fact["course_run"],
        fact["time"],
        fact["type"],
        fact["event_id"],
        detail=fact.get("result") or "",
    )


def feedback_fact(message: dict[str, Any]) -> Fact:
    """Of preferences, or of feedback on a nudge."""
    at = int(message["occurred_at"].timestamp())
    if message["type"] == "preferences":
        told = WISHES + AUTHORS if "said_by" in message else WISHES
        detail = orjson.dumps({name: _plain(message[name]) for name in told if name in message}).decode()
        return Fact(message["learner"], "", at, "preferences", message["event_id"], detail=detail)
    words = (message.get("channel"), message.get("reason"))
    return Fact(
        message["learner"],
        message.get("course_run") or "",
        at,
        message["kind"],
        message["event_id"],
        message.get("nudge_id") or "",
        ": ".join(filter(None, words)),
    )


def _plain(value: Any) -> Any:
    return int(value.timestamp()) if isinstance(value, datetime) else value
