"""Consume nudges in Python: `python examples/consume_nudges.py BROKER [PREFIX]`, until there are no more.

A nudge may arrive twice (after a crash): deliver each `nudge_id` once. A cancellation names a nudge that
must not be sent any more. Hold each nudge until its `send_at`; drop it after `expires_at`.
"""

import sys

from confluent_kafka import Consumer, KafkaException

from schemas.nudge import Nudge, nudge_adapter

QUIET_S = 10.0
"""Seconds without a message after which this example ends. A service would go on."""

broker, prefix = sys.argv[1], "".join(sys.argv[2:3])
consumer = Consumer(
    {
        "bootstrap.servers": broker,
        "group.id": f"{prefix}example-python",
        "auto.offset.reset": "earliest",
        "enable.auto.commit": False,
    }
)
consumer.subscribe([f"{prefix}homeroom.nudges"])
pending: dict[str, Nudge] = {}
try:
    while (record := consumer.poll(QUIET_S)) is not None:
        if (error := record.error()) is not None:
            raise KafkaException(error)
        message = nudge_adapter.validate_json(record.value() or b"")
        if isinstance(message, Nudge):
            pending[message.nudge_id] = message
        else:
            pending.pop(message.nudge_id, None)
        consumer.commit(message=record)  # only after it is stored, which a service would do in a database
finally:
    consumer.close()
for nudge in pending.values():
    print(f"to {nudge.learner} by {nudge.channel} at {nudge.send_at:%Y-%m-%dT%H:%MZ}: {nudge.text}")
