"""Sessions, against the hours that they are counted from and the events of a simulated term."""

import json
from collections import defaultdict
from datetime import date
from typing import Any

import numpy as np
import pytest

from engine.day import sessions
from engine.day.aggregates import as_date
from engine.state.row_layout import ROW
from features.ring import RING, clear, count_activities
from tests.engine.day.test_aggregates import rows_of, total
from tests.streams import pipeline as p

DAY = 20_003
HOUR_S = 3600


def day_of(*hours: int) -> dict[str, Any]:
    """What is counted of one learner who was active for a minute in these hours, from the day before on."""
    rows = np.zeros(1, ROW)
    slot = np.zeros(1, np.int64)
    clear(rows, slot)
    for hour in hours:
        day, hour_of_day = slot + DAY - 1 + hour // 24, slot + hour % 24
        count_activities(rows, slot, day, hour_of_day, slot, slot + 1, slot + 60)
    return sessions.session_totals(rows, slot, DAY)


@pytest.mark.parametrize(
    ("hours", "started", "active"),
    [
        ((), 0, 0),
        ((24,), 1, 1),
        ((24 + 9, 24 + 10, 24 + 11), 1, 3),
        ((24 + 9, 24 + 11), 2, 2),
        ((23, 24, 25), 0, 2),  # it began the evening before
        ((22, 24), 1, 1),
        ((47, 48), 1, 1),  # it goes on tomorrow, and began today
        ((24 + 7, 24 + 8, 24 + 15, 24 + 16, 24 + 23), 3, 5),  # across the bytes of the day
    ],
)
def test_an_idle_hour_ends_a_session(hours: tuple[int, ...], started: int, active: int) -> None:
    totals = day_of(*hours)
    minutes = sum(60 for hour in hours if 24 <= hour < 48)
    assert totals == {
        "learners": int(active > 0),
        "sessions": started,
        "hours": active,
        "seconds": minutes,
    }


def test_everybodys_sessions_are_added_up() -> None:
    rng = np.random.default_rng(5)
    hours = rng.integers(0, 256, (200, RING, 3), np.uint8)
    bits = np.unpackbits(hours, axis=2, bitorder="little")
    expected = [
        sum(int(today[hour]) and not (today[hour - 1] if hour else before[23]) for hour in range(24))
        for today, before in zip(bits[:, DAY % RING], bits[:, (DAY - 1) % RING], strict=True)
    ]
    assert sessions.count_started(hours, DAY).tolist() == expected


def test_a_terms_sessions_are_those_of_its_events() -> None:
    """Counted anew from the events, an hour at a time; the platform's own ids find nearly as many."""
    hours: dict[tuple[str, str], set[int]] = defaultdict(set)
    ids: set[tuple[str, str]] = set()
    for message in p.term():
        event = json.loads(message.value)
        if event["type"] == "activity":
            hours[event["course_run"], event["learner"]].add(int(message.occurred_at) // HOUR_S)
            ids.add((event["learner"], event["session"]))
    expected: dict[tuple[str, date], list[int]] = defaultdict(lambda: [0, 0])
    for (run, _), active in hours.items():
        for hour in active:
            sums = expected[run, as_date(hour // 24)]
            sums[0] += hour - 1 not in active
            sums[1] += 1
    rows = rows_of(p.play(p.logs_of(p.term(), 2)))["sessions_daily"]
    totals = total(rows, ("course_run", "day"), "sessions", "hours")
    assert {key: sums for key, sums in totals.items() if any(sums)} == {
        key: tuple(sums) for key, sums in expected.items()
    }
    assert sum(row["seconds"] for row in rows) > 0
    started = sum(sums[0] for sums in totals.values())
    assert 0.9 < started / len(ids) < 1.1, (started, len(ids))
