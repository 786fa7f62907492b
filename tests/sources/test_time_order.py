"""Messages in the order of event time, whatever fits into memory."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sources.stream import SourceMessage
from sources.time_order import in_time_order

MESSAGES = st.lists(
    st.builds(
        SourceMessage,
        st.none() | st.text(max_size=3),
        st.binary(max_size=4),
        st.booleans(),
        st.integers(0, 20),
    ),
    max_size=40,
)


@given(MESSAGES, st.integers(1, 45))
def test_the_order_is_that_of_a_stable_sort(messages: list[SourceMessage], held: int) -> None:
    ordered = list(in_time_order(messages, held=held))
    assert ordered == sorted(messages, key=lambda message: message.occurred_at)


def test_nothing_is_left_behind(tmp_path: Path) -> None:
    messages = [SourceMessage("ann", b"1", False, 9 - number) for number in range(10)]
    ordering = in_time_order(messages, tmp_path, held=2)
    assert next(ordering).occurred_at == 0
    assert list(tmp_path.iterdir()) != []
    ordering.close()  # type: ignore[attr-defined] # it is a generator
    assert list(tmp_path.iterdir()) == []


def test_a_source_that_breaks_leaves_nothing_behind(tmp_path: Path) -> None:
    def breaks() -> object:
        yield SourceMessage("ann", b"1", False, 1)
        raise OSError("gone")

    with pytest.raises(OSError, match="gone"):
        list(in_time_order(breaks(), tmp_path, held=1))  # type: ignore[arg-type]
    assert list(tmp_path.iterdir()) == []
