"""What of a state topic counts: rows with a mark behind them, of the owner with the highest epoch."""

import time
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.state.row_keys import MARK
from streams import checkpoints
from streams.checkpoints import ASSIGN, StateReplay, StateTopic
from streams.publisher import Publisher, PublishError
from tests.brokers import TestBroker
from tests.conftest import MakeTopic

Record = tuple[bytes, int, bytes | None]
Rows = dict[bytes, bytes]


def replayed(log: list[Record]) -> StateReplay:
    replay = StateReplay()
    for record in log:
        replay.apply(*record)
    return replay


def rows_of(log: list[Record]) -> Rows:
    return replayed(log).result().rows


def repaired(log: list[Record], epoch: int) -> list[Record]:
    """The log as the next owner leaves it: its announcement, and what it writes again."""
    announced = [*log, (ASSIGN + str(epoch).encode(), epoch, b"")]
    return announced + [(key, epoch, value) for key, value in replayed(announced).result().repairs()]


def compacted(log: list[Record]) -> list[Record]:
    """Only the newest record of a key, as the broker may leave it at any time."""
    newest = {key: index for index, (key, _, _) in enumerate(log)}
    return [record for index, record in enumerate(log) if newest[record[0]] == index]


# -- without a broker -----------------------------------------------------------------------------------


def test_rows_count_once_a_mark_follows_them() -> None:
    log: list[Record] = [(b"e|a", 1, b"1"), (MARK, 1, b"m1"), (b"e|a", 1, b"2"), (b"e|b", 1, b"1")]
    restored = replayed(log).result()
    assert restored.rows == {b"e|a": b"1", MARK: b"m1"}
    assert restored.stale_keys == {b"e|a", b"e|b"}
    assert rows_of([*log, (MARK, 1, b"m2")]) == {b"e|a": b"2", b"e|b": b"1", MARK: b"m2"}


def test_a_deletion_counts_like_any_row() -> None:
    log: list[Record] = [(b"e|a", 1, b"1"), (MARK, 1, b"m1"), (b"e|a", 1, None)]
    assert rows_of(log) == {b"e|a": b"1", MARK: b"m1"}
    assert rows_of([*log, (MARK, 1, b"m2")]) == {MARK: b"m2"}


def test_a_zombie_counts_for_nothing() -> None:
    """A worker that lost the partition without noticing, with a whole checkpoint."""
    log: list[Record] = [
        (b"e|a", 1, b"1"),
        (MARK, 1, b"m1"),
        (ASSIGN + b"2", 2, b""),
        (b"e|a", 1, b"zombie"),
        (b"e|c", 1, b"zombie"),
        (MARK, 1, b"zombie"),
    ]
    restored = replayed(log).result()
    assert restored.rows == {b"e|a": b"1", MARK: b"m1"}
    assert restored.stale_keys == {b"e|a", b"e|c", MARK}
    later = repaired(log, 3)
    assert rows_of(later) == rows_of(compacted(later)) == {b"e|a": b"1", MARK: b"m1"}


def test_rows_that_the_last_owner_left_open_are_not_completed_by_the_next_ones_mark() -> None:
    log: list[Record] = [(b"e|a", 1, b"1"), (MARK, 1, b"m1"), (b"e|a", 1, b"2"), (b"e|b", 1, b"2")]
    log = [*repaired(log, 2), (b"e|c", 2, b"3"), (MARK, 2, b"m2")]
    assert rows_of(log) == rows_of(compacted(log)) == {b"e|a": b"1", b"e|c": b"3", MARK: b"m2"}


def test_nor_where_there_was_no_mark_at_all() -> None:
    """A crash in the very first checkpoint, and another after it."""
    log: list[Record] = [(b"e|a", 1, b"1"), (b"e|b", 1, b"1")]
    log = repaired(repaired(log, 2), 3)
    assert rows_of(log) == {}
    log += [(b"e|b", 3, b"3"), (MARK, 3, b"m3")]
    assert rows_of(log) == rows_of(compacted(log)) == {b"e|b": b"3", MARK: b"m3"}


keys = st.sampled_from([b"e|a", b"e|b", b"l|a", b"z|z"])
checkpoint = st.lists(st.tuples(keys, st.one_of(st.none(), st.binary(min_size=1, max_size=2))), max_size=4)
owner = st.tuples(
    st.lists(checkpoint, max_size=3),
    checkpoint,  # the one that a crash cuts off
)


def written(checkpoints_: list[list[tuple[bytes, bytes | None]]], epoch: int) -> list[Record]:
    log: list[Record] = []
    for number, rows in enumerate(checkpoints_):
        log += [(key, epoch, value) for key, value in rows]
        log.append((MARK, epoch, f"{epoch}.{number}".encode()))
    return log


def applied(before: Rows, complete: list[list[tuple[bytes, bytes | None]]], epoch: int) -> Rows:
    rows = dict(before)
    for number, changes in enumerate(complete):
        for key, value in changes:
            if value is None:
                rows.pop(key, None)
            else:
                rows[key] = value
        rows[MARK] = f"{epoch}.{number}".encode()
    return rows


@given(owner, owner, st.data())
def test_two_writers_in_any_interleaving(
    old: tuple[list[list[tuple[bytes, bytes | None]]], list[tuple[bytes, bytes | None]]],
    new: tuple[list[list[tuple[bytes, bytes | None]]], list[tuple[bytes, bytes | None]]],
    data: st.DataObject,
) -> None:
    """Whatever the older one still writes among the newer one's records: what counts is the older one's up to
    the takeover, and then the newer one's. The third owner finds it, compacted or not."""
    mine = written(old[0], 1) + [(key, 1, value) for key, value in old[1]]
    before = data.draw(st.integers(0, len(mine)), "of the old one's records, before the takeover")
    base = mine[:before]
    complete = sum(record[0] == MARK for record in base)
    log = repaired(base, 2)
    expected = applied({}, old[0][:complete], 1)
    assert rows_of(log) == expected

    late = mine[before:]
    for record in written(new[0], 2) + [(key, 2, value) for key, value in new[1]]:
        many = data.draw(st.integers(0, len(late)), "late ones first")
        log += [*late[:many], record]
        late = late[many:]
    log += late
    expected = applied(expected, new[0], 2)
    assert rows_of(log) == expected
    third = repaired(log, 3)
    assert rows_of(third) == rows_of(compacted(third)) == expected


# -- on a broker ----------------------------------------------------------------------------------------

kafka = pytest.mark.kafka


@pytest.fixture
def publisher(broker: TestBroker) -> Iterator[Publisher]:
    publisher_of_broker = Publisher(broker.address)
    yield publisher_of_broker
    publisher_of_broker.close()


@kafka
def test_a_checkpoint_comes_back_and_an_open_one_does_not(
    broker: TestBroker, publisher: Publisher, make_topic: MakeTopic
) -> None:
    topic = make_topic(2)
    first = StateTopic(publisher, broker.address, topic, 1)
    assert first.restore().rows == {}
    first.write([(b"e|a", b"1"), (b"e|gone", b"1"), (MARK, b"m1")])
    first.write([(b"e|gone", None), (MARK, b"m2")])
    first.write([(b"e|a", b"2"), (b"e|b", b"2")])
    publisher.flush_now()

    second = StateTopic(publisher, broker.address, topic, 1)
    restored = second.restore()
    assert restored.rows == {b"e|a": b"1", MARK: b"m2"}
    assert restored.stale_keys == {b"e|a", b"e|b"}
    third = StateTopic(publisher, broker.address, topic, 1).restore()
    assert third.rows == restored.rows
    assert third.stale_keys == set(), "the second owner has repaired it"
    assert StateTopic(publisher, broker.address, topic, 0).restore().rows == {}


@kafka
def test_the_older_of_two_owners_writes_in_vain(
    broker: TestBroker, publisher: Publisher, make_topic: MakeTopic
) -> None:
    topic = make_topic(1)
    older = StateTopic(publisher, broker.address, topic, 0)
    older.restore()
    older.write([(b"e|a", b"1"), (MARK, b"m1")])
    publisher.flush_now()
    newer = StateTopic(publisher, broker.address, topic, 0)
    assert newer.restore().rows == {b"e|a": b"1", MARK: b"m1"}
    older.write([(b"e|a", b"zombie"), (b"e|z", b"zombie"), (MARK, b"zombie")])
    newer.write([(b"e|b", b"2"), (MARK, b"m2")])
    older.write([(b"e|b", None), (MARK, b"zombie")])
    publisher.flush_now()
    expected = {b"e|a": b"1", b"e|b": b"2", MARK: b"m2"}
    assert StateTopic(publisher, broker.address, topic, 0).restore().rows == expected
    assert StateTopic(publisher, broker.address, topic, 0).restore().stale_keys == set()


@kafka
def test_an_owner_whose_clock_is_behind_is_no_zombie(
    broker: TestBroker, publisher: Publisher, make_topic: MakeTopic, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its checkpoints must count, or its acks would lose what they vouch for."""
    topic = make_topic(1)
    first = StateTopic(publisher, broker.address, topic, 0)
    first.restore()
    first.write([(b"e|a", b"1"), (MARK, b"m1")])
    publisher.flush_now()
    monkeypatch.setattr(checkpoints, "new_epoch", lambda: time.time_ns() - 3600 * 10**9)
    second = StateTopic(publisher, broker.address, topic, 0)
    assert second.restore().rows == {b"e|a": b"1", MARK: b"m1"}
    second.write([(b"e|a", b"2"), (MARK, b"m2")])
    first.write([(b"e|a", b"zombie"), (MARK, b"zombie")])
    publisher.flush_now()
    assert StateTopic(publisher, broker.address, topic, 0).restore().rows == {b"e|a": b"2", MARK: b"m2"}


@kafka
def test_a_publisher_that_failed_once_never_says_again_that_all_has_arrived(
    publisher: Publisher, make_topic: MakeTopic
) -> None:
    """All partitions of a worker share it: whoever asks first must not clear the failure for the others."""
    topic = make_topic(1)
    publisher.send(topic, b"value", partition=7)
    for _ in range(2):
        with pytest.raises(PublishError, match="did not take everything"):
            publisher.flush_now()
