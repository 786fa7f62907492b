"""Event ids of earlier days: recognised for 28 days, within a bound, in every process alike."""

import uuid

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from engine.state.earlier_ids import EarlierIds, fingerprints
from features.ring import CLOSED_DAYS

IDS = st.lists(st.text(max_size=128).filter(lambda text: "\0" not in text), unique=True, max_size=40)


@given(IDS, IDS)
def test_a_fingerprint_does_not_depend_on_the_other_ids(some: list[str], others: list[str]) -> None:
    alone = [int(fingerprints([text])[0]) for text in some]
    assert fingerprints(some + others)[: len(some)].tolist() == alone
    assert len(set(alone)) == len(some)


def test_a_fingerprint_is_the_same_in_every_release() -> None:
    """It is stored: another formula would forget what the state topic holds."""
    ids = ["", "a", "0f8fad5b-d9cb-469f-a165-70867728950e"]
    assert fingerprints(ids).tolist() == [0, 0xDB87C9C9A517A502, 0xD61C1851FE720992]


def test_no_two_of_a_million_ids_are_alike() -> None:
    numbered = [f"evt-{number}" for number in range(500_000)]
    drawn = [str(uuid.UUID(int=number * 0x9E3779B97F4A7C15)) for number in range(500_000)]
    assert len(np.unique(fingerprints(numbered + drawn))) == 1_000_000


def test_a_day_is_remembered_as_long_as_the_ring_holds_it() -> None:
    earlier = EarlierIds()
    for day in range(100, 140):
        earlier.add_day(day, {f"{day}/{number}" for number in range(5)}, capacity=10_000)
    assert earlier.days == list(range(139 - CLOSED_DAYS + 1, 140))
    oldest = earlier.days[0]
    assert earlier.known([f"{oldest}/0", f"{oldest - 1}/0", "139/4", "139/5"], oldest).tolist() == [
        True,
        False,
        True,
        False,
    ]


def test_only_days_since_the_event_are_searched() -> None:
    earlier = EarlierIds()
    earlier.add_day(100, {"a"}, capacity=10)
    assert earlier.known(["a"], 103).tolist() == [True]
    assert earlier.known(["a"], 104).tolist() == [False]


@given(st.lists(st.integers(0, 30), min_size=1, max_size=40), st.integers(0, 100))
def test_memory_is_bounded_and_the_newest_days_stay(sizes: list[int], capacity: int) -> None:
    earlier = EarlierIds()
    for day, size in enumerate(sizes):
        earlier.add_day(day, {f"{day}/{number}" for number in range(size)}, capacity)
        assert len(earlier) <= capacity
        assert earlier.days == list(range(day + 1))[len(range(day + 1)) - len(earlier.days) :]


def test_what_changed_is_stored_and_restored() -> None:
    earlier, rows = EarlierIds(), dict[bytes, bytes]()
    for day in range(40):
        earlier.add_day(day, {f"{day}/{number}" for number in range(day)}, capacity=10_000)
        for key, value in earlier.pop_changed_rows():
            if value is None:
                del rows[key]
            else:
                rows[key] = value
    assert list(earlier.pop_changed_rows()) == []
    back = EarlierIds()
    for key, value in rows.items():
        back.restore(int(key.partition(b"|")[2]), value)
    assert back.days == earlier.days
    ids = [f"{day}/{number}" for day in range(40) for number in range(40)]
    assert back.known(ids, 0).tolist() == earlier.known(ids, 0).tolist()
