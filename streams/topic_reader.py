"""Standalone consumers: manual assignment from a topic's beginning, no group membership, no commits."""

from collections.abc import Callable, Iterator
from typing import Any

from confluent_kafka import Consumer, KafkaError, Message

from streams.logging_setup import LIBRDKAFKA_LOG

POLL_S = 0.2
"""Longest wait for records; what a stop has to wait for."""


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


def follow(
    consumer: Consumer,
    is_stopped: Callable[[], bool],
    on_error: Callable[[KafkaError], None],
    most: int = 1_000,
) -> Iterator[list[Message]]:
    """Read what the consumer's partitions hold and will hold, until ``is_stopped``.

    Yields lists of at most ``most`` records, five times a second an empty one where there are none, so that
    the caller sees the time pass. ``on_error`` gets every error of the broker, and may raise; the end of a
    partition is none. The caller closes the consumer.
    """
    while not is_stopped():
        first = consumer.poll(POLL_S)  # returns with the first record; ``consume`` would wait for the others
        records = []
        for record in [] if first is None else [first, *consumer.consume(most - 1, 0)]:
            error = record.error()
            if error is None:
                records.append(record)
            elif error.code() != KafkaError._PARTITION_EOF:
                on_error(error)
        yield records
