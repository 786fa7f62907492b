"""Risk changes and nudges as Caliper 1.2 events of the General Profile, one in an envelope.

Source: https://www.imsglobal.org/spec/caliper/v1p2. We are the actor, a software application, and the learner
is the object: Caliper has no action of a learner whose risk changes. A nudge is a digital resource that is
recommended to its target, and removed where it is cancelled.
"""

import json
from datetime import datetime
from typing import Any

from schemas.cloud_event import SOURCE, OutMessage, attributes_of, timestamp
from schemas.risk import RiskChange
from sources.formats.xapi.terms import iri_of

CONTEXT = "http://purl.imsglobal.org/ctx/caliper/v1p2"
ACTIONS = {"risk_change": "Classified", "nudge": "Recommended", "nudge_cancelled": "Removed"}
"""Actions of Caliper's vocabulary, by type of message."""

Json = dict[str, Any]


def envelope_of(message: OutMessage, prefix: str, sent_at: datetime) -> Json:
    """The envelope that a Caliper endpoint is sent. The event's id is deterministic.

    prefix: of the installation's topics.
    """
    sensor = attributes_of(message, prefix).source
    return {
        "sensor": sensor,
        "sendTime": timestamp(sent_at),
        "dataVersion": CONTEXT,
        "data": [event_of(message, prefix)],
    }


def event_of(message: OutMessage, prefix: str) -> Json:
    """The event."""
    attributes = attributes_of(message, prefix)
    application = {"id": SOURCE, "type": "SoftwareApplication", "name": "homeroom"}
    learner = {"id": iri_of(message.learner, "learners"), "type": "Person"}
    event: Json = {
        "@context": CONTEXT,
        "id": attributes.uuid.urn,
        "type": "Event",
        "profile": "GeneralProfile",
        "actor": application,
        "action": ACTIONS[message.type],
        "object": learner,
        "eventTime": timestamp(attributes.time),
        "edApp": application,
        "group": {"id": iri_of(message.course_run, "courses"), "type": "CourseSection"},
        "extensions": {"homeroom": json.loads(message.model_dump_json(exclude={"learner", "course_run"}))},
    }
    if not isinstance(message, RiskChange):
        nudge = {"id": iri_of(message.nudge_id, "nudges"), "type": "DigitalResource"}
        event |= {"object": nudge, "target": learner}
    return event
