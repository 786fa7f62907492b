"""What a source yields: messages of the events topic in event-time order, with clock ticks and pacing.

A source is an iterable of :class:`SourceMessage`. It knows the contract and nothing of brokers: the
publisher decides about partitions and retries.
"""

import time
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime
from typing import Any, NamedTuple

import orjson

from schemas.fields import DAY_S

DAY = DAY_S
"""Seconds of an event day; a day is [d × DAY, (d + 1) × DAY) in UTC."""

CLOSING_DAYS = 3
"""Ticks after the last event's day: with up to 24 h of lateness, the last day still closes."""


class SourceMessage(NamedTuple):
    """One message of the events topic, serialized, with its key and its event time."""

    key: str | None
    """The learner, so that Kafka keeps each learner's order; None for a broadcast."""
    value: bytes
    """JSON of a message of the events topic."""
    broadcast: bool
    """True for calendars and ticks: one copy goes to each partition."""
    occurred_at: int
    """Epoch seconds, UTC, the same instant as in `value`."""


def instant(epoch_s: int) -> str:
    """Epoch seconds as RFC 3339: ``2014-02-01T12:00:00Z``. Slow, so sources format once a day or block."""
    return datetime.fromtimestamp(epoch_s, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def keyed(message: dict[str, Any], epoch_s: int) -> SourceMessage:
    """A learner's message, keyed by its `learner`; sets its `occurred_at` to `epoch_s`."""
    message["occurred_at"] = instant(epoch_s)
    return SourceMessage(message["learner"], orjson.dumps(message), False, epoch_s)


def broadcast(message: dict[str, Any], epoch_s: int) -> SourceMessage:
    """A message for every partition, such as a calendar; sets its `occurred_at` to `epoch_s`."""
    message["occurred_at"] = instant(epoch_s)
    return SourceMessage(None, orjson.dumps(message), True, epoch_s)


def tick(day: int, source: str) -> SourceMessage:
    """The clock tick at the start of `day`: everything before it has been sent."""
    return broadcast({"type": "tick", "source": source}, day * DAY)


def with_ticks(stream: Iterable[SourceMessage], source: str) -> Iterator[SourceMessage]:
    """`stream` with a tick before the first event of each day, and for days without events and the end.

    The stream must be in event-time order: a tick promises that no earlier event follows.

    Raises:
        ValueError: an event is earlier than a tick that was already yielded.
    """
    midnight = tomorrow = 0
    for message in stream:
        occurred_at = message.occurred_at
        if occurred_at >= tomorrow:
            today = occurred_at // DAY
            for day in range(tomorrow // DAY if tomorrow else today, today + 1):
                yield tick(day, source)
            midnight, tomorrow = today * DAY, (today + 1) * DAY
        elif occurred_at < midnight:
            raise ValueError(
                f"occurred_at: {instant(occurred_at)} follows the tick of {instant(midnight)}, "
                "expected events in order of time"
            )
        yield message
    if tomorrow:
        for day in range(tomorrow // DAY, tomorrow // DAY + CLOSING_DAYS):
            yield tick(day, source)


def paced(
    stream: Iterable[SourceMessage],
    speed_up: float | None,
    sleep: Callable[[float], None] = time.sleep,
    clock: Callable[[], float] = time.monotonic,
) -> Iterator[SourceMessage]:
    """`stream` at `speed_up` seconds of event time per second; None does not wait at all.

    A reader that is slower than the pace catches up by one second at most: no bursts after a stall.

    Raises:
        ValueError: `speed_up` is not positive.
    """
    if speed_up is None:
        yield from stream
        return
    if not speed_up > 0:
        raise ValueError(f"speed_up: {speed_up!r}, expected a number above 0, or None")
    latest, due = None, 0.0
    for message in stream:
        occurred_at = message.occurred_at
        if latest is None:
            latest, due = occurred_at, clock()
        elif occurred_at > latest:
            due = max(due + (occurred_at - latest) / speed_up, clock() - 1.0)
            latest = occurred_at
            if (wait := due - clock()) > 0:
                sleep(wait)
        yield message
