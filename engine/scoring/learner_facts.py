"""Rows of ``learner_facts``: enrolments, results, preferences, feedback; all that is no click.

Facts make a learner's history readable (``homeroom why``) and allow trying a policy on the past. They are
written under pseudonyms; a fact's id is hashed too, since a platform's event ids may hold anything.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

import orjson

from engine.day.aggregates import as_date
from engine.state.partition_state import PartitionState
from features.dates import NO_DATE
from schemas.learning import CarriedAccount

PREFERENCE_FIELDS = ("timezone", "opted_out", "paused_until", "digest", "suppressed")
AUTHOR_FIELDS = ("said_by", "reason", "source")
"""Author and reason of a preference, stored where it has an author: only some may revoke an opt-out."""


@dataclass(frozen=True, slots=True)
class Fact:
    """A row of ``learner_facts``, not yet pseudonymised. Fields are columns. at: epoch seconds."""

    learner: str
    course_run: str
    at: int
    fact: str
    fact_id: str
    nudge_id: str = ""
    detail: str = ""


def enrolment_fact(fact: dict[str, Any]) -> Fact:
    """The row of an enrolment, a withdrawal, a result or a pause."""
    return Fact(
        fact["learner"],
        fact["course_run"],
        fact["time"],
        fact["type"],
        fact["event_id"],
        detail=_span(fact) if fact["type"] == "pause" else fact.get("result") or "",
    )


def merge_fact(account: CarriedAccount, name: str, course_run: str, state: PartitionState) -> Fact:
    """The row that says under which pseudonym, its ``detail``, the history of an account goes on in a run."""
    at = state.days.start(account.day + 1)
    return Fact(
        name,
        course_run,
        at,
        "merged",
        f"{name}/{course_run}/{account.into}",
        detail=state.pseudonym(account.into),
    )


def rename_fact(fact: dict[str, Any], old: str, learner: str) -> Fact:
    """The row that says under which name of a run, its ``detail``, the history of an enrolment goes on."""
    new = fact["into"]
    return Fact(learner, old, fact["time"], "renamed", f"{learner}/{old}/{new}", detail=new)


def _span(pause: dict[str, Any]) -> str:
    """A pause's first day and the first one after it, as an ISO interval; ``..`` for an open end."""
    since, until = pause["since_day"], pause["until_day"]
    return f"{as_date(since)}/{'..' if until == NO_DATE else as_date(until)}"


def feedback_fact(message: dict[str, Any]) -> Fact:
    """The row of preferences, or of feedback on a nudge."""
    occurred_at = int(message["occurred_at"].timestamp())
    if message["type"] == "preferences":
        names = PREFERENCE_FIELDS + AUTHOR_FIELDS if "said_by" in message else PREFERENCE_FIELDS
        detail = orjson.dumps({name: _plain(message[name]) for name in names if name in message}).decode()
        return Fact(message["learner"], "", occurred_at, "preferences", message["event_id"], detail=detail)
    words = (message.get("channel"), message.get("reason"))
    return Fact(
        message["learner"],
        message.get("course_run") or "",
        occurred_at,
        message["kind"],
        message["event_id"],
        message.get("nudge_id") or "",
        ": ".join(filter(None, words)),
    )


def _plain(value: Any) -> Any:
    return int(value.timestamp()) if isinstance(value, datetime) else value
