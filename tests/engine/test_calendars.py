"""A run's calendar comes again and again; the newest decides, and what was handed in stays handed in."""

from itertools import count
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.day.cohorts import work_of
from engine.processor import PartitionProcessor
from engine.state.partition_state import PartitionState
from features.compute import features
from tests.engine.test_processor import Bench, calendar, click, fact, instant, sorted_by_time, ticks
from tests.streams.pipeline import IDENTITY, START, Record

WORKS = ("a", "b", "c", "d")
WHOLE = [{"assessment": one, "due_at": instant(5 + 4 * at), "weight": 0.25} for at, one in enumerate(WORKS)]
HANDED_IN = [
    click(day, learner=who, kind="submission", object=work, score=score)
    for who in ("ann", "bob")
    for day, work, score in ((3.1, "a", 0.5), (6.2, "b", None), (7.3, "c", 1.0), (8.4, "c", 0.25))
]
LEARNERS = [fact("enrolled", -1, learner=who) for who in ("ann", "bob")]
LAST = 12


def played(calendars: list[Record], restarts: bool = False) -> Bench:
    """Two learners' hand-ins with calendars in between, day by day, and the whole calendar in the end."""
    newest = calendar(at=LAST - 0.5, deadlines=WHOLE)
    bench, rows = Bench(), dict[bytes, bytes | None]()
    for record in sorted_by_time([*LEARNERS, *HANDED_IN, *calendars, newest, *ticks(LAST + 2)]):
        bench.feed([record])
        if restarts:
            rows.update(bench.processor.checkpoint(1))
            stored = [(key, value) for key, value in rows.items() if value is not None]
            bench.processor = PartitionProcessor(0, bench.rules, PartitionState.restore(IDENTITY, stored))
    return bench


def hand_ins_and_features(bench: Bench) -> dict[str, Any]:
    """The cells and the features, by learner."""
    state = bench.processor.state
    by_learner = {}
    for (learner, name), slot in state.slots.items():
        index, slots = state.run_index[name], np.array([slot])
        cells = state.gradebook.dump(index, slot)
        work = work_of(state, index, slots)
        codes = features(state.rows, slots, state.runs[index], START + LAST + 2, work=work)
        by_learner[learner] = (cells, codes.tobytes())
    return by_learner


ALONE = played([calendar(deadlines=WHOLE)])


def test_a_nightly_job_that_failed_half_way_makes_nobody_miss_anything() -> None:
    """Empty on one night, the half on the next, then whole again: as if it had not been."""
    nights = [calendar(at=7 + night, deadlines=WHOLE[:part]) for night, part in ((0, 0), (1, 2), (2, 4))]
    bench = played([calendar(deadlines=WHOLE), *nights])
    assert hand_ins_and_features(bench) == hand_ins_and_features(ALONE)
    assert bench.risk[LAST + 1] == pytest.approx(ALONE.risk[LAST + 1], abs=0.02)


def test_a_calendar_that_comes_after_the_hand_ins_finds_them() -> None:
    assert hand_ins_and_features(played([])) == hand_ins_and_features(ALONE)


numbers = count()
between = st.lists(
    st.builds(
        lambda at, works: calendar(
            at=at,
            event_id=f"k{next(numbers)}",
            deadlines=[one for one in WHOLE if one["assessment"] in works],
        ),
        st.floats(-2, LAST - 1),
        st.sets(st.sampled_from(WORKS)),
    ),
    max_size=5,
)


@settings(max_examples=8, deadline=None)
@given(between, st.booleans())
def test_whatever_calendars_come_in_between_and_whenever_it_restarts(
    calendars: list[Record], restarts: bool
) -> None:
    assert hand_ins_and_features(played(calendars, restarts)) == hand_ins_and_features(ALONE)


def test_of_two_calendars_of_one_moment_the_same_one_holds_in_any_order() -> None:
    first, second = (
        calendar(at=LAST - 0.4, event_id=name, deadlines=WHOLE[:part]) for name, part in (("x", 1), ("y", 3))
    )
    for calendars in ([first, second], [second, first]):
        bench = Bench().feed([*LEARNERS, *calendars, *ticks(LAST + 2)])
        assert bench.processor.state.runs[0].assessments == ("a", "b", "c")
    apart = Bench().feed([*LEARNERS, second, *ticks(LAST + 1), first, *ticks(LAST + 3, LAST + 2)])
    assert apart.processor.state.runs[0].assessments == ("a", "b", "c")
