"""What a partition counts of who was foretold to leave and who left."""

import numpy as np

from engine.state.withdrawals import Leaving


def told(leaving: Leaving) -> dict[str, list[int]]:
    return {run: counts.tolist() for run, counts in leaving.pop().items()}


def test_a_days_counts_are_told_once_and_survive_a_restart() -> None:
    leaving = Leaving()
    leaving.foretell("c/r", np.array([0.25, 0.1]))
    leaving.withdrawn("c/r")
    leaving.ended("c/q", 5, 3)
    leaving = Leaving(leaving.stored())
    assert told(leaving) == {"c/q": [0, 0, 5, 3], "c/r": [350_000, 1, 0, 0]}
    assert told(leaving) == {}


def test_a_withdrawal_of_which_nothing_was_foretold_counts_for_nothing() -> None:
    leaving = Leaving()
    leaving.withdrawn("c/r")
    leaving.ended("c/r", 0, 0)
    assert told(leaving) == {}
    leaving.ended("c/r", 1, 1)
    leaving.withdrawn("c/r")
    assert told(leaving) == {"c/r": [0, 0, 1, 1]}
