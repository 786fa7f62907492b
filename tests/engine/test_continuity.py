"""Where reading goes on after whatever has happened to a log, and that no record is missing uncounted."""

from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.continuity import AppliedPosition, Cause, Log, LogBreak, Start, resume
from engine.processor import PartitionProcessor
from engine.rules import Rules
from engine.state.errors import StateIncompleteError
from engine.state.partition_state import PartitionState
from engine.state.row_keys import MARK
from schemas.topics import EVENTS, FEEDBACK
from tests.streams.pipeline import IDENTITY, activity, batch_of, record


def broken(start: Start) -> tuple[Cause, int, int] | None:
    return (
        None
        if start.log_break is None
        else (start.log_break.cause, start.log_break.first, start.log_break.last)
    )


@pytest.mark.parametrize(
    ("applied", "log", "committed", "position", "missing"),
    [
        (AppliedPosition(), Log(0, 0, "a"), 0, 0, None),
        (AppliedPosition(), Log(7, 20, "a"), 0, 7, None),  # who comes new has lost nothing
        (
            AppliedPosition(-1, "a"),
            Log(7, 20, "a"),
            0,
            7,
            ("deleted", 0, 6),
        ),  # who has waited for the first has
        (AppliedPosition(9, "a"), Log(0, 10, "a"), 10, 10, None),
        (AppliedPosition(9, "a"), Log(0, 30, "a"), 5, 10, None),  # what is applied is not read again
        (AppliedPosition(9, "a"), Log(0, 30, "a"), 20, 10, None),  # the state is of before the commit
        (AppliedPosition(9, "a"), Log(10, 30, "a"), 10, 10, None),
        (AppliedPosition(9, "a"), Log(12, 30, "a"), 10, 12, ("deleted", 10, 11)),
        (AppliedPosition(9, "a"), Log(30, 30, "a"), 10, 30, ("deleted", 10, 29)),
        (AppliedPosition(9, "a"), Log(0, 30, "b"), 10, 0, ("remade", 0, -1)),
        (AppliedPosition(9, "a"), Log(4, 30, "b"), 10, 4, ("remade", 0, 3)),
        (AppliedPosition(9, "a"), Log(0, 5, "a"), 10, 5, ("cut", 5, 4)),
        (AppliedPosition(9), Log(0, 30, "b"), 10, 10, None),  # of an earlier release: taken for the same
        (AppliedPosition(9), Log(0, 5, "b"), 10, 0, ("remade", 0, -1)),  # which it cannot be
        (AppliedPosition(), Log(0, 30, "a"), 10, 0, ("state_lost", 0, -1)),
        (AppliedPosition(), Log(4, 30, "a"), 10, 4, ("state_lost", 0, 3)),
    ],
)
def test_where_it_goes_on_and_what_is_missing(
    applied: AppliedPosition, log: Log, committed: int, position: int, missing: tuple[str, int, int] | None
) -> None:
    start = resume(applied, log, committed)
    assert (start.position, start.topic_id, broken(start)) == (position, log.topic_id, missing)
    assert start.log_break is None or start.log_break.detail


@dataclass
class World:
    """A topic with one partition, a worker's state, and where every record that was ever published is."""

    topic: int = 0
    start: int = 0
    records: list[int] = field(default_factory=list)
    """Numbers of the records in the log, by offset; those before ``start`` are deleted."""
    published: int = 0
    applied: list[int] = field(default_factory=list)
    lost: int = 0
    unknown: int = 0
    vouched: AppliedPosition = field(default_factory=lambda: AppliedPosition(-1, "0"))
    """A worker has waited there from the beginning."""

    def publish(self, count: int) -> None:
        self.records += range(self.published, self.published + count)
        self.published += count

    def retain(self, count: int) -> None:
        self.start = max(self.start, len(self.records) - count)

    def make_anew(self) -> None:
        read = self.vouched.applied + 1 if self.vouched.topic_id == str(self.topic) else 0
        self.unknown += len(self.records) - read
        self.topic, self.start, self.records = self.topic + 1, 0, []

    def work(self, count: int) -> None:
        """A worker comes, reads so many records, and goes."""
        log = Log(self.start, len(self.records), str(self.topic))
        begun = resume(self.vouched, log, self.vouched.applied + 1)
        self.lost += 0 if begun.log_break is None else begun.log_break.records
        read = self.records[begun.position : begun.position + count]
        self.applied += read
        self.vouched = AppliedPosition(begun.position + len(read) - 1, log.topic_id)


steps = st.lists(
    st.one_of(
        st.tuples(st.just("publish"), st.integers(1, 9)),
        st.tuples(st.just("retain"), st.integers(0, 9)),
        st.tuples(st.just("work"), st.integers(0, 20)),
        st.tuples(st.just("make_anew"), st.none()),
    ),
    max_size=20,
)


@given(steps)
def test_every_record_is_applied_once_or_counted(done: list[tuple[str, int | None]]) -> None:
    """Or it was in a topic when that was deleted, which is told, without a number."""
    world = World()
    for name, count in done:
        getattr(world, name)(*(() if count is None else (count,)))
    world.work(10**6)
    assert len(world.applied) == len(set(world.applied))
    assert len(world.applied) + world.lost + world.unknown == world.published


def test_a_break_is_counted_told_and_kept() -> None:
    processor = PartitionProcessor(3, Rules(), PartitionState(IDENTITY))
    events = EVENTS.name
    assert not processor.resume_at(events, Start(5, "a"), 0)
    processor.apply(batch_of([record(activity("1", "2024-10-04T10:00:00Z"))], 5))
    assert processor.applied_position(events) == AppliedPosition(5, "a")

    outputs = processor.resume_at(events, Start(9, "a", LogBreak("deleted", 6, 8, "gone")), 1_700_000_000)
    (letter,) = outputs.dead_letters
    assert (letter.reason, letter.offset, letter.last_offset) == ("lost", 6, 8)
    assert letter.dead_letter_id == f"{events}:3:6-8:deleted:a"
    assert outputs.rows["log_breaks"]["records"] == [3]
    assert processor.state.clock.lost == 3

    rows = {key: value for key, value in processor.checkpoint(1) if value is not None}
    clock = PartitionState.restore(IDENTITY, rows.items()).clock
    assert (clock.lost, clock.topics, clock.applied) == (3, {events: "a"}, {events: 8})
    assert processor.applied_position(FEEDBACK.name) == AppliedPosition()


def test_rows_that_the_mark_counts_and_that_are_gone_are_told() -> None:
    processor = PartitionProcessor(0, Rules(), PartitionState(IDENTITY))
    messages = [activity(name, "2024-10-04T10:00:00Z", learner=name) for name in ("1", "2")]
    processor.apply(batch_of((record(message) for message in messages), at=1_728_036_000))
    rows = {key: value for key, value in processor.checkpoint(1) if value is not None}
    assert PartitionState.restore(IDENTITY, rows.items()).slots.keys() == processor.state.slots.keys()
    gone = next(key for key in rows if key.startswith(b"e|"))
    for key in [key for key in rows if key != MARK and key.partition(b"|")[2] == gone.partition(b"|")[2]]:
        del rows[key]
    with pytest.raises(
        StateIncompleteError, match=r"lost rows: 1 of 2 enrolments are there; .* `homeroom topics create"
    ):
        PartitionState.restore(IDENTITY, rows.items())
