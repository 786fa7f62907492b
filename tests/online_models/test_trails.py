"""Trails of many at once say what a single trail says, whatever came in between."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from online_models import trails
from online_models.recommender import MAX_OPEN_ITEMS, Trail
from online_models.trails import Trails

SLOTS, DAYS = 3, 4
ITEMS = [f"i{number % 7}-{number}" for number in range(MAX_OPEN_ITEMS + 8)]
steps = st.lists(
    st.tuples(
        st.integers(0, SLOTS - 1),
        st.integers(0, DAYS - 1),
        st.integers(0, 30),
        st.none() | st.just("") | st.sampled_from(ITEMS),
    ),
    max_size=150,
)


Step = tuple[int, int, int, str | None]


def add_steps(trails_: Trails, steps_: Sequence[Step], today: int) -> None:
    slots, days, times, items = zip(*steps_, strict=True)
    trails_.add_steps(np.array(slots), np.array(times), np.array(days), items, today)


def add_to_both(many: Trails, single: list[Trail], steps_: list[Step], today: int) -> None:
    if steps_:
        add_steps(many, steps_, today)
    for slot, day, time, item in steps_:
        if item and day < today:
            single[slot].add_late_step(today, item)
        elif item:
            single[slot].add_step(day, time, item)


def close_both(many: Trails, single: list[Trail], day: int) -> None:
    transitions = many.close(day)
    by_columns = {
        slot: (start, to)
        for slot, start, to in zip(
            transitions.slots.tolist(), transitions.starts, transitions.to, strict=True
        )
    }
    by_trail = {
        slot: transition for slot, trail in enumerate(single) if (transition := trail.close(day)) is not None
    }
    assert by_columns == by_trail


def exported(many: Trails) -> dict[int, Trail]:
    return dict(many.export(range(SLOTS)))


def restored_copy(many: Trails) -> Trails:
    copy = Trails(SLOTS)
    for slot, trail in exported(many).items():
        copy.restore(slot, Trail.from_record(orjson.loads(orjson.dumps(trail.to_record()))))
    return copy


@settings(max_examples=150, deadline=None)
@given(parts=st.lists(steps, max_size=DAYS + 2), crashes=st.lists(st.booleans(), min_size=DAYS + 2))
def test_many_say_what_each_says(parts: list[Any], crashes: list[bool]) -> None:
    many, single = Trails(SLOTS), [Trail() for _ in range(SLOTS)]
    for today, (part, crash) in enumerate(zip(parts, crashes, strict=False)):
        half = len(part) // 2
        add_to_both(many, single, part[:half], today)
        if crash:
            many = restored_copy(many)
        add_to_both(many, single, part[half:], today)
        assert exported(many) == dict(enumerate(single))
        close_both(many, single, today)
        assert exported(many) == dict(enumerate(single))
        assert [many.trail(slot) for slot in range(SLOTS)] == [
            Trail(trail.last, trail.done) for trail in single
        ]


@settings(max_examples=40, deadline=None)
@given(parts=st.lists(steps, min_size=2, max_size=4))
def test_room_that_runs_out_changes_nothing(parts: list[Any]) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(trails, "MAX_OPEN_STEPS", 10)
        patch.setattr(trails, "MAX_ITEMS", 5)
        many, single = Trails(SLOTS), [Trail() for _ in range(SLOTS)]
        for today, part in enumerate(parts):
            for start in range(0, len(part), 7):
                add_to_both(many, single, part[start : start + 7], today)
            close_both(many, single, today)
            assert exported(many) == dict(enumerate(single))


def test_items_that_no_trail_names_are_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trails, "MAX_ITEMS", 10)
    many = Trails(1)
    for day in range(50):
        names = [f"{day}-{number}" for number in range(9)]
        many.add_steps(np.zeros(9, np.int64), np.arange(9), np.full(9, day), names, day)
        many.close(day)
    assert len(many.items) <= 20
    assert many.trail(0).last == "49-8"


def test_a_place_let_go_and_a_place_added_are_new() -> None:
    many = Trails(1)
    add_steps(many, [(0, 1, 5, "a"), (0, 2, 5, "b")], 1)
    many.close(1)
    many.restore(0, Trail("a", 1, many.trail(0).days))
    many.forget(np.array([0]))
    assert not many.changed.any()
    assert list(many.close(2).slots) == []
    assert many.trail(0) == Trail()
    many.grow(4)
    add_steps(many, [(3, 3, 5, "c")], 3)
    assert np.flatnonzero(many.changed).tolist() == [3]
    assert many.close(3).slots.tolist() == [3]
