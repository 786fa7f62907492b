"""Consumers that read a topic from its beginning, for themselves: no group, no commits."""

from typing import Any

from confluent_kafka import Consumer

from streams.logging_setup import BROKERS_WORDS


def own_reader(address: str, name: str, **more: Any) -> Consumer:
    """A consumer whose partitions its user assigns. ``more``: librdkafka's settings besides the usual ones.

    librdkafka wants a group's name where none is joined; ``name`` shows in the broker's logs.
    """
    settings = {
        "bootstrap.servers": address,
        "group.id": name,
        "enable.auto.commit": False,
        "auto.offset.reset": "earliest",
        "log_level": 3,
    }
    return Consumer(
        settings | {key.replace("_", "."): value for key, value in more.items()}, logger=BROKERS_WORDS
    )
