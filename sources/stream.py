"""What a source hands on: published messages in event-time order, with clock ticks and pacing.

A source is an iterable of :class:`Published`. It knows the contract, and nothing of brokers: who
sends it decides where a key goes and how often to retry.
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


class Published(NamedTuple):
    """One message as it goes to the broker. Bytes and a place in time, nothing more."""

    key: str | None
    """The learner, whose order Kafka keeps; None for what is sent to every partition."""
    value: bytes
    """JSON of a message of the events topic."""
    broadcast: bool
    """True for calendars and ticks: one copy goes to each partition."""
    occurred_at: int
    """Epoch seconds, UTC, the same instant as in `value`."""


def instant(at: int) -> str:
    """RFC 3339 of epoch seconds: ``2014-02-01T12:00:00Z``. Slow; sources keep one per day or block."""
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def keyed(message: dict[str, Any], at: int) -> Published:
    """A learner's message, keyed by its `learner`; `occurred_at` is written here, from `at`."""
    message["occurred_at"] = instant(at)
    return Published(message["learner"], orjson.dumps(message), False, at)


def broadcast(message: dict[str, Any], at: int) -> Published:
    """A message for everybody, such as a calendar; `occurred_at` is written here, from `at`."""
    message["occurred_at"] = instant(at)
    return Published(None, orjson.dumps(message), True, at)


def tick(day: int, source: str) -> Published:
    """The clock tick at the start of `day`: everything before it has been sent."""
    return broadcast({"type": "tick", "source": source}, day * DAY)


def with_ticks(stream: Iterable[Published], source: str) -> Iterator[Published]:
    """`stream` with a tick before the first event of each day, silent days and the end included.

    The stream must be in event-time order: a tick promises that nothing before it will follow.
    :raises ValueError: an event lies before a tick that was already given
    """
    midnight = tomorrow = 0
    for message in stream:
        at = message.occurred_at
        if at >= tomorrow:
            today = at // DAY
            for day in range(tomorrow // DAY if tomorrow else today, today + 1):
                yield tick(day, source)
            midnight, tomorrow = today * DAY, (today + 1) * DAY
        elif at < midnight:
            raise ValueError(
                f"occurred_at: {instant(at)} follows the tick of {instant(midnight)}, "
                "expected events in order of time"
            )
        yield message
    if tomorrow:
        for day in range(tomorrow // DAY, tomorrow // DAY + CLOSING_DAYS):
            yield tick(day, source)


def paced(
    stream: Iterable[Published],
    speed_up: float | None,
    sleep: Callable[[float], None] = time.sleep,
    clock: Callable[[], float] = time.monotonic,
) -> Iterator[Published]:
    """`stream` at `speed_up` seconds of event time a second; None is as fast as it is read.

    Where the reader is slower than the pace, at most a second is caught up: no bursts after a stall.

    :raises ValueError: `speed_up` is not positive
    """
    if speed_up is None:
        yield from stream
        return
    if not speed_up > 0:
        raise ValueError(f"speed_up: {speed_up!r}, expected a number above 0, or None")
    latest, due = None, 0.0
    for message in stream:
        at = message.occurred_at
        if latest is None:
            latest, due = at, clock()
        elif at > latest:
            due = max(due + (at - latest) / speed_up, clock() - 1.0)
            latest = at
            if (wait := due - clock()) > 0:
                sleep(wait)
        yield message
