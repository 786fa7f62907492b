"""The simulated learners resemble OULAD's, figure by figure, within the tolerances of MARGINALS."""

from collections.abc import Mapping

import pytest

from sources.simulation.marginals import MARGINALS, Marginal, measure, table
from sources.simulator import Run, SimulationPlan, stream

LIKE_OULAD = Run("course-a", "like-oulad", 20_486, 34, 4_000)


@pytest.fixture(scope="module")
def measured() -> Mapping[str, float]:
    return measure(stream(SimulationPlan((LIKE_OULAD,), seed=1), ticks=False), LIKE_OULAD)


@pytest.mark.parametrize("figure", MARGINALS, ids=lambda figure: figure.name)
def test_marginal(measured: Mapping[str, float], figure: Marginal) -> None:
    assert measured[figure.name] == pytest.approx(figure.oulad, abs=figure.tolerance)


def test_the_table_marks_what_is_out_of_tolerance(measured: Mapping[str, float]) -> None:
    assert "!" not in table(dict(measured))
    wrong = table({**measured, "never active": 0.5})
    assert [line.split()[0] for line in wrong.splitlines() if line.endswith("!")] == ["never"]
