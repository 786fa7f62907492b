"""The floor: confluent-kafka reads, pydantic validates against the contract, nothing is done with it.

In lists of 10,000, which is the fastest way in which every event is still parsed and validated.
"""

import json
import sys
import time

from confluent_kafka import Consumer
from pydantic import Json, TypeAdapter

from schemas.inbound import Event


def main(task: dict[str, str | int]) -> None:
    adapter: TypeAdapter[list[Event]] = TypeAdapter(list[Json[Event]])  # type: ignore[type-arg,unused-ignore]
    settings = {"group.id": "bench-floor", "auto.offset.reset": "earliest", "enable.auto.commit": False}
    consumer = Consumer({"bootstrap.servers": str(task["broker"]), "log_level": 3, **settings})
    consumer.subscribe([str(task["topic"])])
    started, validated = 0.0, 0
    while validated < int(task["records"]):
        messages = consumer.consume(10_000, timeout=0.2)
        if messages and not started:
            started = time.perf_counter()
        validated += len(adapter.validate_python([message.value() for message in messages]))
    print(json.dumps({"records": validated, "seconds": time.perf_counter() - started}))
    consumer.close()


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
