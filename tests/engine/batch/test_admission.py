"""Event time at the door: the watermark of each record, what is too far ahead, letters in order and once."""

import random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.batch.admission import BatchAdmission, Timing
from features.ring import NEVER
from tests.streams.pipeline import Record, activity, batch_of, record

HOUR, DAY_S = 3600, 86_400
NOON = 1_706_788_800
"""Of 1 February 2024."""


def event_at(seconds: int, name: str = "e") -> Record:
    stamp = np.datetime64(NOON + seconds, "s")
    return record(activity(name, f"{stamp}Z"))


def tick(seconds: int) -> Record:
    return record({"type": "tick", "occurred_at": f"{np.datetime64(NOON + seconds, 's')}Z"})


BAD: Record = (b"l", b"?")


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"lateness": -1}, "lateness is -1 s; expected 0 to 259200"),
        ({"lateness": 3 * DAY_S + 1}, "what the ring can hold"),
        ({"tolerance": -1}, "tolerance is -1 s; expected 0 or more"),
    ],
)
def test_impossible_timings_are_refused(wrong: dict[str, int], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        Timing(**wrong)  # type: ignore[arg-type]


@settings(max_examples=50, deadline=None)
@given(
    steps=st.lists(st.integers(-5 * HOUR, 9 * HOUR) | st.none(), min_size=1, max_size=25),
    seed=st.integers(0, 2**32),
)
def test_where_the_watermark_stands_does_not_depend_on_batches(steps: list[int | None], seed: int) -> None:
    """A step is an event so many seconds from the one before; None is a record that is none."""
    now, records = 0, []
    for step in steps:
        now += step or 0
        records.append(BAD if step is None else event_at(now))
    whole = BatchAdmission(Timing(clock="replay")).admit(batch_of(records), -1)
    apart, newest = BatchAdmission(Timing(clock="replay")), []
    rng, start = random.Random(seed), 0
    letters = []
    while start < len(records):
        size = rng.randint(1, 5)
        admitted = apart.admit(batch_of(records[start : start + size], start), start - 1)
        newest += admitted.newest.tolist()
        letters += admitted.dead_letters
        start += size
    assert newest == whole.newest.tolist()
    assert letters == whole.dead_letters
    assert newest == np.maximum.accumulate(whole.times).tolist() if newest else True


def test_live_the_brokers_time_says_what_is_ahead() -> None:
    timing = Timing(tolerance=HOUR, clock="live")
    records = [event_at(HOUR), event_at(HOUR + 1, "far"), event_at(-90 * DAY_S)]
    admitted = BatchAdmission(timing).admit(batch_of(records, at=NOON), -1)
    assert admitted.record_indices == [0, 2]
    (letter,) = admitted.dead_letters
    assert (letter.reason, letter.field, letter.offset) == ("future", "occurred_at", 1)
    assert "expected at most 1 h after the broker's time" in letter.detail
    assert admitted.newest.tolist() == [NOON] * 2, (
        "what is ahead counts, and moves the clock no further than it is"
    )


def test_in_a_replay_the_ticks_say_what_is_ahead_across_batches() -> None:
    admission = BatchAdmission(Timing(tolerance=HOUR, clock="replay"))
    first = admission.admit(batch_of([event_at(9 * DAY_S), tick(0), event_at(HOUR + 1), event_at(HOUR)]), -1)
    assert first.record_indices == [0, 1, 3], "before the first tick nobody knows"
    second = admission.admit(batch_of([event_at(HOUR + 1), tick(HOUR), event_at(2 * HOUR)], 4), 3)
    assert second.record_indices == [1, 2]
    assert "source's newest tick" in second.dead_letters[0].detail
    again = BatchAdmission(Timing(tolerance=HOUR, clock="replay"), newest=NOON, newest_tick=NOON)
    assert again.admit(batch_of([event_at(HOUR + 1)]), -1).record_indices == []


@pytest.mark.parametrize(
    "when",
    ["0001-01-01T00:00:00Z", "9999-12-31T23:59:59Z", "1970-01-01T00:00:00Z", "1980-01-01T00:00:00+00:00"],
)
def test_a_moment_that_no_day_can_name_is_refused(when: str) -> None:
    """It would be a watermark that no report can carry, or one that nothing ever reaches."""
    for clock in ("live", "replay"):
        admission = BatchAdmission(Timing(clock=clock))
        admitted = admission.admit(batch_of([record(activity("e", when))], at=10**11 * 3), -1)
        assert (admitted.messages, admission.newest) == ([], NEVER)
        assert (admitted.dead_letters[0].reason, admitted.dead_letters[0].field) == ("invalid", "occurred_at")
        assert "expected" in admitted.dead_letters[0].detail


def test_what_was_applied_is_left_out() -> None:
    admitted = BatchAdmission(Timing(clock="replay")).admit(
        batch_of([event_at(1), BAD, event_at(2), BAD, event_at(3)], 10), 12
    )
    assert [admitted.offset(position) for position in range(len(admitted.messages))] == [14]
    assert [letter.offset for letter in admitted.dead_letters] == [13]


def test_letters_are_said_when_their_turn_comes_and_once() -> None:
    admitted = BatchAdmission(Timing(clock="replay")).admit(
        batch_of([BAD, event_at(1), BAD, event_at(2), event_at(3), BAD]), -1
    )
    offsets = []
    for position in (0, 1, 1, 2, 3):
        admitted.position = position
        offsets.append([letter.offset for letter in admitted.pop_dead_letters()])
    assert offsets == [[0], [2], [], [], [5]]


def test_until_stops_at_the_first_record_that_reaches_the_limit() -> None:
    admitted = BatchAdmission(Timing(clock="replay")).admit(
        batch_of([event_at(0), event_at(50), event_at(20), event_at(60)]), -1
    )
    assert [admitted.position_reaching(NOON + limit) for limit in (0, 1, 50, 51, 61)] == [0, 1, 1, 3, 4]
    admitted.position = 2
    assert admitted.position_reaching(NOON) == 2
