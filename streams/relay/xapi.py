"""Risk changes and nudges as xAPI statements, valid by 1.0.3 and by 2.0 (IEEE 9274.1.1).

The learner is the actor: a record store is asked by learner. A probability is no score of theirs, so it is an
extension. The identifiers of our own are those of the statements that we read (:mod:`sources.formats.xapi`).
"""

import json
from typing import Any

from schemas.cloud_event import OutMessage, attributes_of, timestamp
from schemas.risk import RiskChange
from sources.formats.xapi.terms import BASE, COURSE, extension, iri_of, own_verb

NUDGE_TYPE = f"{BASE}activity-types/nudge"
VERBS = {
    "risk_change": ("risk-changed", "is at another level of risk"),
    "nudge": ("nudged", "is to be nudged"),
    "nudge_cancelled": ("nudge-cancelled", "is not to be nudged any more"),
}
"""Our verb, and its words, by type of message."""

Json = dict[str, Any]


def statement_of(message: OutMessage, prefix: str, home_page: str) -> Json:
    """The statement. Its id is deterministic, so a store takes it once.

    prefix: of the installation's topics. home_page: of the learners' accounts.
    """
    attributes = attributes_of(message, prefix)
    verb, words = VERBS[message.type]
    course = {"id": iri_of(message.course_run, "courses"), "definition": {"type": COURSE}}
    statement: Json = {
        "id": str(attributes.uuid),
        "actor": {"objectType": "Agent", "account": {"homePage": home_page, "name": message.learner}},
        "verb": {"id": own_verb(verb), "display": {"en": words}},
        "object": course if isinstance(message, RiskChange) else _nudge(message.nudge_id),
        "context": {"platform": "homeroom", "contextActivities": {"grouping": [course]}},
        "timestamp": timestamp(attributes.time),
    }
    return statement | {"result": {"extensions": _details(message)}}


def _nudge(name: str) -> Json:
    return {"objectType": "Activity", "id": iri_of(name, "nudges"), "definition": {"type": NUDGE_TYPE}}


DETAILS: dict[str, frozenset[str]] = {
    "risk_change": frozenset(
        {
            *("risk_change_id", "previous_level", "level", "probability", "previous_probability"),
            *("exit_probability", "model_state", "model_version", "data_quality", "reasons"),
        }
    ),
    "nudge": frozenset(
        {
            *("risk_change_id", "campaign", "variant", "channel", "send_at", "expires_at", "goal", "text"),
            *("suggestion", "reasons"),
        }
    ),
    "nudge_cancelled": frozenset({"reason"}),
}
"""The fields that become extensions of the result, by type of message."""


def _details(message: OutMessage) -> Json:
    fields = json.loads(message.model_dump_json(include=set(DETAILS[message.type]), exclude_none=True))
    return {extension(name): value for name, value in fields.items()}
