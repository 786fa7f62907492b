"""No record alone says how late it is: lying times among honest ones change nothing for anybody else."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.batch.admission import FAST_S, BatchAdmission, Timing, append_times
from engine.batch.records import RecordBatch
from engine.processor import PartitionProcessor
from engine.rules import Rules
from engine.state.partition_state import PartitionState
from features.ring import NEVER
from tests.engine.test_processor import Bench, click, fact, tick
from tests.streams.pipeline import IDENTITY, START, Record, record

DAY_S = 86_400
DAYS = 6


def instant(seconds: int) -> str:
    return f"{np.datetime64(seconds, 's')}Z"


def seconds(day: float) -> int:
    return round((START + day) * DAY_S)


Stamped = tuple[Record, float]
"""A record and the day of its timestamp."""

HONEST: list[Stamped] = [
    (click(step / 8, learner=f"l{step % 3}"), step / 8 + 0.01) for step in range(1, 8 * DAYS)
]


def live(records: list[Stamped], *, read: bool = True, liar: int | None = None) -> PartitionProcessor:
    """What a live partition makes of records; days close without estimates. read: timestamps are the
    producers', and each record is read when the honest clock says so; else the broker made them. liar: index
    of the record whose timestamp is no clock's."""
    processor = PartitionProcessor(0, Rules(timing=Timing(clock="live")), PartitionState(IDENTITY))
    bench = Bench()
    bench.processor, now = processor, 0.0
    for offset, ((key, value), day) in enumerate(records):
        now = max(now, day) if day < DAYS + 1 and offset != liar else now
        batch = RecordBatch(
            "homeroom.events",
            0,
            [offset],
            [key],
            [value],
            [seconds(day) * 1000],
            seconds(now) if read else None,
        )
        processor.apply(batch)
        while processor.due is not None:
            processor.advance(bench.close())
    return processor


def snapshot(processor: PartitionProcessor) -> dict[Any, Any]:
    """What a partition knows of all but the liar, and where its clock stands."""
    state = processor.state
    rows = {key: state.rows[slot].tobytes() for key, slot in state.slots.items() if key[0] != "liar"}
    return {"rows": rows, "today": state.clock.today, "newest": state.clock.newest}


ALONE = snapshot(live(HONEST))


def lie(kind: str, day: float) -> Record:
    if kind == "tick":
        return record({"type": "tick", "occurred_at": instant(seconds(day))})
    more = {"learner": "liar", "run": "other/run"}
    return click(day, learner="liar", course_run="other/run") if kind == "click" else fact(kind, day, **more)


lies = st.tuples(
    st.sampled_from(["click", "enrolled", "withdrawn", "tick"]),
    st.sampled_from([-400.0, -20, 0.5, 1.9, 40, 400, 20_000]),
)


@settings(max_examples=25, deadline=None)
@given(
    index=st.integers(
        1, len(HONEST) - 1
    ),  # after the last one, it may move event time up to the honest clock
    kind_and_offset=lies,
    ahead=st.sampled_from([0.0, 0.5, 3, 40, 400, 20_000]),
)
def test_live_a_record_with_lying_times_changes_nothing_for_others(
    index: int, kind_and_offset: tuple[str, float], ahead: float
) -> None:
    """Its event time and its producer's timestamp are both as wrong as they like."""
    kind, by = kind_and_offset
    now = HONEST[index - 1][1]
    records = [*HONEST[:index], (lie(kind, now + by), now + ahead), *HONEST[index:]]
    assert snapshot(live(records, liar=index)) == ALONE


def test_a_host_forty_days_ahead_is_refused_and_closes_nothing() -> None:
    """All that it sends, from half of the learners."""
    records = [
        ((click(day + 40, learner="liar"), day + 40) if index % 2 else (record, day))
        for index, (record, day) in enumerate([record for record in HONEST for _ in (0, 1)])
    ]
    processor = live(records)
    assert snapshot(processor) == ALONE
    assert processor.state.clock.dead_letters == len(HONEST)


def test_the_brokers_own_timestamps_are_believed() -> None:
    assert snapshot(live(HONEST, read=False)) == ALONE
    batch = RecordBatch("t", 0, [0, 1, 2], [None] * 3, [b""] * 3, [5_000_999, 9_000_000, -1])
    assert append_times(batch).tolist() == [5_000, 9_000, -1]
    theirs = RecordBatch("t", 0, [0, 1, 2], [None] * 3, [b""] * 3, [5_000_999, 9_000_000, -1], 6_000)
    assert append_times(theirs).tolist() == [5_000, 6_000 + FAST_S, 6_000]


def test_an_event_ahead_of_the_clock_counts_in_its_day_and_closes_none() -> None:
    processor = live([*HONEST[:8], (click(2.5), 1.01), HONEST[8]])
    assert processor.state.clock.dead_letters == 0
    assert processor.state.clock.today == START
    slot = processor.state.slots["l", "c/r"]
    assert processor.state.rows["clicks"][slot].sum() == 1


def test_whatever_the_tolerance_the_ring_has_a_place() -> None:
    """The clock moves as far as it must: a day further ahead would fall into the bucket of one that is
    closed."""
    admission = BatchAdmission(Timing(lateness=3 * DAY_S, tolerance=30 * DAY_S, clock="live"))
    records = [click(9)]
    batch = RecordBatch("t", 0, [0], [records[0][0]], [records[0][1]], [seconds(0) * 1000])
    assert admission.admit(batch, -1).newest.tolist() == [seconds(9)]


# -- replays -----------------------------------------------------------------------------------------

TICKED = [
    tick(0),
    *(one for day in range(DAYS) for one in (click(day + 0.4), click(day + 0.7), tick(day + 1))),
]


def replayed(records: list[Record], cut: int = 1) -> PartitionProcessor:
    bench = Bench()
    for start in range(0, len(records), cut):
        bench.feed(records[start : start + cut])
    return bench.processor


STRAIGHT = snapshot(replayed(TICKED))


@settings(max_examples=25, deadline=None)
@given(index=st.integers(1, len(TICKED) - 1), kind_and_offset=lies, cut=st.integers(1, 9))
def test_in_a_replay_a_record_with_a_lying_time_changes_nothing_for_others(
    index: int, kind_and_offset: tuple[str, float], cut: int
) -> None:
    kind, by = kind_and_offset
    now = (index - 1) // 3
    if kind == "tick" and 0 < by <= 3:
        return  # no lie that the tolerance does not allow
    records = [*TICKED[:index], lie(kind, now + by), *TICKED[index:]]
    assert snapshot(replayed(records, cut)) == STRAIGHT


@pytest.mark.parametrize("leap", [3, 40, 4_000])
@pytest.mark.parametrize("cut", [1, 2, 50])
def test_a_tick_that_leaps_counts_once_another_record_comes_near(leap: int, cut: int) -> None:
    """A year between two terms that are replayed one after the other."""
    later = [tick(DAYS + leap), click(DAYS + leap + 0.2), tick(DAYS + leap + 1)]
    alone = replayed([*TICKED, later[0]], cut).state.clock
    assert (alone.today, alone.doubted) == (START + DAYS - 1, seconds(DAYS + leap))
    admission = BatchAdmission(Timing(clock="replay"))
    batch = [*TICKED, *later]
    newest = []
    for start in range(0, len(batch), cut):
        part = batch[start : start + cut]
        offsets = list(range(start, start + len(part)))
        keys, values = [key for key, _ in part], [value for _, value in part]
        admitted = admission.admit(
            RecordBatch("t", 0, offsets, [*keys], [*values], [0] * len(part)), start - 1
        )
        newest += admitted.newest.tolist()
        assert admitted.dead_letters == []
    assert newest[-3:] == [seconds(DAYS), seconds(DAYS + leap + 0.2), seconds(DAYS + leap + 1)]
    assert (admission.newest_tick, admission.unconfirmed_tick) == (seconds(DAYS + leap + 1), NEVER)


def test_a_doubted_tick_is_remembered_across_a_restart() -> None:
    bench = Bench().feed([*TICKED, tick(DAYS + 40)])
    rows = [(key, value) for key, value in bench.processor.checkpoint(1) if value is not None]
    bench.processor = PartitionProcessor(0, bench.rules, PartitionState.restore(IDENTITY, rows))
    bench.feed([click(DAYS + 40.1)])
    assert bench.processor.state.clock.today == START + DAYS + 39
