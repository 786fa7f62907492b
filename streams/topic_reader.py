"""Consumers: standalone ones, which read a topic from its beginning, and members of groups, which commit.

And what consumers of any kind ask: whether their topics are there, and whether an error is final.
"""

import logging
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicPartition

from streams.logging_setup import LIBRDKAFKA_LOG
from streams.settings import Settings

log = logging.getLogger(__name__)

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


def group_consumer(settings: Settings, name: str, **options: Any) -> Consumer:
    """A member of a consumer group of the installation's, which commits what the caller says.

    name: of the service; the group has it at its end. options: as in :func:`standalone_consumer`.
    """
    session_ms = round(settings.session_timeout_s * 1000)
    return standalone_consumer(
        settings.broker,
        f"{settings.prefix}{settings.group}-{name}",
        session_timeout_ms=session_ms,
        heartbeat_interval_ms=min(3_000, session_ms // 5),
        **options,
    )


def commit(consumer: Consumer, offsets: Mapping[tuple[str, int], int]) -> bool:
    """Commit offsets by topic and partition; whether the group took them.

    While it rebalances it does not: whoever has the partitions then reads their records again.
    """
    positions = [TopicPartition(topic, partition, offset) for (topic, partition), offset in offsets.items()]
    try:
        consumer.commit(offsets=positions, asynchronous=False)
    except KafkaException as error:
        log.warning("offsets are not committed: %s", error.args[0].str())
        return False
    return True


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


def require_topics(consumer: Consumer, names: Iterable[str], error: type[Exception], hint: str) -> None:
    """Check that the broker has the topics; else close the consumer.

    Raises:
        ``error``: one is missing, with ``hint`` at its end, or the broker does not answer.
    """
    try:
        known = consumer.list_topics(timeout=20).topics
    except KafkaException as raised:
        consumer.close()
        raise error(f"the broker does not answer: {raised.args[0].str()}") from None
    missing = sorted(set(names) - set(known))
    if missing:
        consumer.close()
        raise error(f"the broker has no topic {', '.join(missing)}; {hint}")


def raise_if_final(error: KafkaError, kind: type[Exception]) -> None:
    """Log an error of a consumer that passes.

    Raises:
        ``kind``: it is one that does not.
    """
    if error.fatal() or error.code() in (
        KafkaError.TOPIC_AUTHORIZATION_FAILED,
        KafkaError.UNKNOWN_TOPIC_OR_PART,
    ):
        raise kind(error.str())
    log.warning("the broker says: %s", error.str())
