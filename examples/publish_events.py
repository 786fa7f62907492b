"""Publish events to Kafka: `python examples/publish_events.py BROKER [PREFIX]`.

Three things matter: the key is the learner, the partitioner is murmur2 (Kafka's own default; librdkafka's
differs), and every event has its own id, so that a repeat counts once.
"""

import json
import sys
from datetime import UTC, datetime

from confluent_kafka import Producer

broker, prefix = sys.argv[1], "".join(sys.argv[2:3])
producer = Producer({"bootstrap.servers": broker, "partitioner": "murmur2_random", "acks": "all"})
refused: list[str] = []

for number, learner in enumerate(("u-1", "u-2", "u-1")):
    event = {
        "type": "activity",
        "event_id": f"example-{number}",
        "learner": learner,
        "course_run": "course-a/2026",
        "kind": "quiz",
        "occurred_at": datetime.now(UTC).isoformat(),
        "score": 0.75,
    }
    producer.produce(
        f"{prefix}homeroom.events",
        json.dumps(event).encode(),
        learner.encode(),
        on_delivery=lambda error, _: refused.append(str(error)) if error else None,
    )
unanswered = producer.flush(30)
if unanswered or refused:
    sys.exit(f"not published: {unanswered} unanswered, refused: {refused}")
print("published 3 events")
