"""Standalone consumers: manual assignment from a topic's beginning, no group membership, no commits."""

from typing import Any

from confluent_kafka import Consumer

from streams.logging_setup import LIBRDKAFKA_LOG


def standalone_consumer(address: str, name: str, **options: Any) -> Consumer:
    """A consumer whose partitions the caller assigns.

    Args:
        address: the broker, ``host:port``, or several with commas between.
        name: stands for the group id, which librdkafka requires although no group is joined.
        options: further librdkafka settings, ``_`` for ``.`` in their names.
    """
    settings = {
        "bootstrap.servers": address,
        "group.id": name,
        "enable.auto.commit": False,
        "auto.offset.reset": "earliest",
        "log_level": 3,
    }
    return Consumer(
        settings | {key.replace("_", "."): value for key, value in options.items()}, logger=LIBRDKAFKA_LOG
    )
