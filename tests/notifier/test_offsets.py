"""The committed offset is that of the first record that is not done."""

from hypothesis import given
from hypothesis import strategies as st

from notifier.offsets import Offsets


def test_what_waits_holds_the_offset_and_not_the_others() -> None:
    offsets = Offsets()
    for offset in (5, 6, 9):  # compaction and transactions leave gaps
        offsets.begin(0, offset)
    offsets.begin(1, 0)
    offsets.done(0, 6)
    offsets.done(1, 0)
    assert offsets.committable() == {0: 5, 1: 1}
    offsets.committed({0: 5, 1: 1})
    assert offsets.committable() == {}
    offsets.done(0, 5)
    assert offsets.committable() == {0: 9}
    offsets.done(0, 9)
    assert offsets.committable() == {0: 10}
    assert offsets.in_flight() == 0


def test_a_partition_that_has_gone_counts_no_more() -> None:
    offsets = Offsets()
    offsets.begin(0, 5)
    offsets.drop(0)
    offsets.done(0, 5)
    offsets.committed({0: 6})
    assert offsets.committable() == {}
    offsets.begin(0, 5)
    assert offsets.committable() == {0: 5}


@given(
    st.integers(1, 30).flatmap(lambda n: st.tuples(st.just(n), st.permutations(range(n)), st.integers(0, n)))
)
def test_a_crash_at_any_time_loses_nothing(case: tuple[int, list[int], int]) -> None:
    count, order, crash = case
    offsets = Offsets()
    for offset in range(count):
        offsets.begin(0, offset)
    for offset in order[:crash]:
        offsets.done(0, offset)
    again = set(range(offsets.committable()[0], count))
    assert again | set(order[:crash]) == set(range(count))
