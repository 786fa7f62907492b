"""Messages of every type, and what of them must come back from a dialect."""

from collections.abc import Collection
from datetime import datetime
from typing import Any

import orjson
from hypothesis import assume
from hypothesis import strategies as st
from pydantic import ValidationError

from schemas.inbound import event_adapter
from schemas.topics import EVENTS
from sources.formats.adapter import Adapter, Writer
from sources.formats.records import RawRecord
from sources.formats.translation import Translation
from sources.simulation.plan import Run
from sources.simulator import SimulationPlan, stream
from tests.schemas.from_schema import valid

SCHEMA = EVENTS.adapter.json_schema() if EVENTS.adapter else {}
IDS = ("event_id", "learner", "course_run", "object", "session", "source", "course", "section", "track")
IDS_OF_MESSAGES = (*IDS, "submission", "language")
MOMENTS = ("occurred_at", "graded_at", "due_at", "from_at", "until_at", "starts_at", "ends_at")


@st.composite
def sayable(draw: st.DrawFn, unsaid: Collection[str]) -> dict[str, Any]:
    """Valid messages, but of the types ``unsaid``; no name is blank."""
    message: dict[str, Any] = draw(valid(SCHEMA, SCHEMA))
    assume(message["type"] not in unsaid)
    assume(all(message[name].strip() for name in IDS_OF_MESSAGES if message.get(name) is not None))
    try:
        event_adapter.validate_json(orjson.dumps(message))
    except ValidationError:
        assume(False)
    return message


def term() -> list[dict[str, Any]]:
    """The messages of a small simulated term, but its ticks."""
    plan = SimulationPlan((Run("BBB", "2026J", 20_486, weeks=8, learners=12),), seed=3)
    messages = [orjson.loads(sent.value) for sent in stream(plan)]
    return [message for message in messages if message["type"] != "tick"]


def read_back(message: dict[str, Any], writer: Writer, adapter: Adapter) -> dict[str, Any]:
    """A message as it comes back from the one record that it was written as; the worker accepts it."""
    (record,) = writer.write(message)
    translation = Translation()
    adapter.translate(RawRecord(record), translation)
    assert translation.refused == []
    (read,) = translation.messages
    assert {fate for _, fate in translation.names} == {"translated"}
    event_adapter.validate_json(orjson.dumps(read))
    return read


def kept(message: dict[str, Any], lost: Collection[str] = ()) -> dict[str, Any]:
    """A message with its moments as such, without fields that say nothing, and those that are ``lost``."""
    left = {
        name: datetime.fromisoformat(value) if name in MOMENTS and value is not None else value
        for name, value in message.items()
        if (value is not None or name == "until_at") and name not in {"version", *lost}
    }
    if left.get("kind") is not None and left.get("actor") == "learner":
        del left["actor"]  # the default
    return left
