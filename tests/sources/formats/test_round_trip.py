"""The same term in every dialect gives the same estimates, bit for bit, where the dialect can say it."""

import pytest

from sources.formats.registry import DIALECTS
from tests.sources.formats.round_trip import compared_estimates, estimates_of, round_trip, term

WRITTEN = [name for name, dialect in DIALECTS.items() if dialect.writer is not None]


@pytest.mark.parametrize("name", WRITTEN)
def test_a_term_in_a_dialect_gives_the_same_estimates(name: str) -> None:
    found = round_trip(name)
    maker = DIALECTS[name].writer
    limits = maker().limits if maker is not None else {}
    assert found.lost <= limits.keys(), "every loss is declared"
    assert found.unsaid.keys() <= {"tick", *limits}, "and every silence"
    assert found.said > len(term()) / 2
    estimates = estimates_of(found.read)
    assert len(estimates) > 1_000
    assert estimates == compared_estimates(found)
