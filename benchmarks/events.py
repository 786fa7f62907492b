"""The events of the throughput benchmark: a month of clicks of some thousand learners in two course runs.

Seeded and simple: the shape of a click log without meaning. 75 clicks a learner in 28 days (OULAD's median is
740 in 240 days), unequal learners, of whom some become inactive and some withdraw. Enrolments, calendars and
daily clock ticks are included, so that days close.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import numpy as np
import orjson

from schemas.activity import ACTIVITY_KINDS
from sources.stream import SourceMessage, broadcast, keyed, with_ticks

START = datetime(2026, 2, 2, tzinfo=UTC)
DAYS = 28
RUNS = ("algebra/2026-1", "botany/2026-1")
SOURCE = "bench"


@dataclass(frozen=True, slots=True)
class Load:
    """How many activity events, of how many learners."""

    events: int = 300_000
    learners: int = 4_000
    seed: int = 1


def stream(load: Load) -> Iterator[SourceMessage]:
    """All messages in event-time order, with ticks. Activity events have about 165 bytes."""
    return with_ticks(sorted(_all(load), key=lambda message: message.occurred_at), SOURCE)


def _all(load: Load) -> Iterator[SourceMessage]:
    start = int(START.timestamp())
    for run in RUNS:
        yield _calendar(run, start)
    for learner in range(load.learners):
        yield _fact("enrolled", learner, start + learner % 3600)
    rng = np.random.default_rng(load.seed)
    active_days = np.where(rng.random(load.learners) < 0.3, rng.integers(1, DAYS, load.learners), DAYS)
    weights = rng.lognormal(0.0, 1.0, load.learners) * active_days
    learners = rng.choice(load.learners, load.events, p=weights / weights.sum())
    timestamps = start + 3600 + rng.random(load.events) * (active_days[learners] * 86_400 - 3600)
    kinds = rng.integers(0, len(ACTIVITY_KINDS), load.events)
    for number, (learner, timestamp, kind) in enumerate(
        zip(learners.tolist(), timestamps.astype(int).tolist(), kinds, strict=True)
    ):
        yield _activity(number, learner, timestamp, ACTIVITY_KINDS[kind])
    for learner in np.flatnonzero(active_days < DAYS // 2).tolist():
        yield _fact("withdrawn", learner, start + int(active_days[learner]) * 86_400 + 3600)


def _activity(number: int, learner: int, timestamp: int, kind: str) -> SourceMessage:
    # Formatted as text, not serialized from a dictionary: there are three hundred thousand of them.
    occurred_at = (START + timedelta(seconds=timestamp - int(START.timestamp()))).strftime(
        "%Y-%m-%dT%H:%M:%SZ"
    )
    name = f"learner-{learner:05d}"
    value = (
        f'{{"type":"activity","event_id":"e{number:07d}","learner":"{name}","course_run":"{_run(learner)}",'
        f'"kind":"{kind}","occurred_at":"{occurred_at}","object":"item-{number % 211}"}}'
    )
    return SourceMessage(name, value.encode(), False, timestamp)


def _fact(kind: str, learner: int, timestamp: int) -> SourceMessage:
    message = {
        "type": kind,
        "event_id": f"{kind}-{learner}",
        "learner": f"learner-{learner:05d}",
        "course_run": _run(learner),
    }
    return keyed(message, timestamp)


def _calendar(run: str, start: int) -> SourceMessage:
    deadlines = [
        {"assessment": f"essay-{week}", "due_at": _isoformat(start + week * 7 * 86_400), "weight": 0.2}
        for week in range(1, 6)
    ]
    message = {
        "type": "calendar",
        "event_id": f"calendar-{run}",
        "course": run.partition("/")[0],
        "course_run": run,
        "starts_at": _isoformat(start),
        "ends_at": _isoformat(start + 70 * 86_400),
        "deadlines": deadlines,
    }
    return broadcast(message, start)


def _run(learner: int) -> str:
    return RUNS[learner % len(RUNS)]


def _isoformat(timestamp: int) -> str:
    return datetime.fromtimestamp(timestamp, UTC).isoformat()


if __name__ == "__main__":
    for published in stream(Load(events=10, learners=3)):
        print(orjson.loads(published.value))
