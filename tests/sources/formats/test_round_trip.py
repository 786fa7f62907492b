"""The same term in every dialect gives the same estimates, bit for bit, where the dialect can say it."""

import pytest

from sources.formats.registry import writer_named
from tests.sources.formats.round_trip import WRITTEN, compared_estimates, estimates_of, round_trip, term


@pytest.mark.parametrize("name", WRITTEN)
def test_a_term_in_a_dialect_gives_the_same_estimates(name: str) -> None:
    found = round_trip(name)
    limits = writer_named(name).limits
    assert found.lost <= limits.keys(), "every loss is declared"
    assert found.unsaid.keys() <= {"tick", *limits}, "and every silence"
    assert found.said > len(term()) / 2
    estimates = estimates_of(found.read)
    assert len(estimates) > 1_000
    assert estimates == compared_estimates(found)
