"""What learners and other systems say changes the decisions, through the real worker on a real broker."""

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import Producer

from schemas.nudge import Nudge, nudge_adapter
from schemas.topics import FEEDBACK
from streams.settings import Settings
from tests.brokers import TestBroker
from tests.streams import pipelines as p

pytestmark = [pytest.mark.kafka, pytest.mark.apache]


def send_feedback(settings: Settings, messages: list[dict[str, Any]]) -> None:
    """Publish feedback as a platform or a notifier would."""
    producer = Producer({"bootstrap.servers": settings.broker, "partitioner": "murmur2_random"})
    for number, message in enumerate(messages):
        value = json.dumps({"event_id": f"said-{number}"} | message)
        producer.produce(settings.prefix + FEEDBACK.name, value, message["learner"])
    assert producer.flush(20) == 0


def first_nudges() -> dict[str, Nudge]:
    """Each nudged learner's first nudge, as it is when nobody says anything."""
    first: dict[str, Nudge] = {}
    nudges = [nudge_adapter.validate_json(raw) for raw in p.straight().outcome.nudges.values()]
    for nudge in sorted(
        (nudge for nudge in nudges if isinstance(nudge, Nudge)), key=lambda nudge: nudge.decided_at
    ):
        first.setdefault(nudge.learner, nudge)
    return first


def test_wishes_and_messages_of_others_are_heard(tmp_path: Path, broker: TestBroker, prefix: str) -> None:
    nudges = list(first_nudges().values())
    assert len(nudges) > 5
    since = min(nudge.decided_at for nudge in nudges) - timedelta(days=400)
    expected: dict[str, str] = {}
    messages: list[dict[str, Any]] = []
    for number, nudge in enumerate(nudges):
        common: dict[str, Any] = {"learner": nudge.learner, "occurred_at": since.isoformat()}
        preferences = common | {"type": "preferences"}
        choices = [
            (preferences | {"opted_out": [nudge.channel]}, "opted_out"),
            (common | {"type": "feedback", "kind": "unsubscribed", "channel": nudge.channel}, "opted_out"),
            (preferences | {"suppressed": True}, "suppressed"),
            (preferences | {"paused_until": nudge.expires_at.isoformat()}, "paused"),
            (
                common | {"type": "feedback", "kind": "sent", "occurred_at": nudge.send_at.isoformat()},
                "cap_reached",
            ),
            (None, ""),
        ]
        message, reason = choices[number % len(choices)]
        if message is not None:
            messages.append(message)
            expected[nudge.risk_change_id] = reason
    settings = p.settings_of(broker.address, prefix, None)
    with p.pipeline(tmp_path, settings) as rig:
        send_feedback(settings, messages + messages)  # a platform may say things twice
        rig.start_worker()
        ends = p.ends(settings, FEEDBACK.name)
        p.wait_until(rig, lambda: p.committed(settings, FEEDBACK.name) == ends, "everything heard")
        rig.publish(p.stream())
        p.finish(rig)
        assert rig.stop_workers() == [0]
        outcome = p.outcome(settings)
    decided = {
        decision["risk_change_id"]: decision["reason"]
        for decision in map(json.loads, outcome.decisions.values())
        if decision["risk_change_id"] in expected
    }
    # Who was not nudged teaches the model a little more, so a few changes of risk come on other days.
    assert len(decided) > 0.7 * len(expected)
    assert decided == {name: expected[name] for name in decided}
    assert set(decided.values()) == {"opted_out", "suppressed", "paused", "cap_reached"}
    reached = {nudge_adapter.validate_json(raw).learner for raw in outcome.nudges.values()}
    closed = {
        nudge.learner for nudge in nudges if expected.get(nudge.risk_change_id) in ("opted_out", "suppressed")
    }
    assert not reached & closed
    assert reached & {nudge.learner for nudge in nudges if nudge.risk_change_id not in expected}
