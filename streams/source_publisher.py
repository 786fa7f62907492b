"""Publishes a source's stream to the events topic: learners' events by key, ticks and calendars to all."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from schemas.topics import EVENTS
from sources.stream import SourceMessage
from streams.publisher import Publisher
from streams.settings import Settings

REPORT_EVERY = 5_000


@dataclass(slots=True)
class Sent:
    """Progress of publishing. ``records`` counts every copy of a broadcast, ``messages`` each once."""

    messages: int = 0
    records: int = 0
    event_time: int = 0


def publish(
    stream: Iterable[SourceMessage],
    settings: Settings,
    progress: Callable[[Sent], None] = lambda _: None,
) -> Sent:
    """Send all of a stream and wait until it is acknowledged.

    progress: called after every few thousand messages, and at the end.

    Raises:
        PublishError: the broker does not acknowledge it.
    """
    publisher = Publisher(settings.broker, linger_ms=20)
    topic = settings.prefix + EVENTS.name
    sent = Sent()
    for message in stream:
        if message.broadcast:
            for partition in range(settings.partitions):
                publisher.send(topic, message.value, message.key, partition)
            sent.records += settings.partitions
        else:
            publisher.send(topic, message.value, message.key)
            sent.records += 1
        sent.messages += 1
        sent.event_time = message.occurred_at
        if sent.messages % REPORT_EVERY == 0:
            progress(sent)
    publisher.flush_now(600.0)
    progress(sent)
    return sent
