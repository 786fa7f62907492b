"""What a partition counts of who was foretold to leave and who left."""

import numpy as np

from engine.state.withdrawals import WithdrawalCounts


def told(leaving: WithdrawalCounts) -> dict[str, list[int]]:
    return {run: counts.tolist() for run, counts in leaving.pop().items()}


def test_a_days_counts_are_told_once_and_survive_a_restart() -> None:
    leaving = WithdrawalCounts()
    leaving.add_forecast("c/r", np.array([0.25, 0.1]))
    leaving.count_withdrawal("c/r")
    leaving.count_exits("c/q", 5, 3)
    leaving = WithdrawalCounts(leaving.as_json())
    assert told(leaving) == {"c/q": [0, 0, 5, 3], "c/r": [350_000, 1, 0, 0]}
    assert told(leaving) == {}


def test_a_withdrawal_of_which_nothing_was_foretold_counts_for_nothing() -> None:
    leaving = WithdrawalCounts()
    leaving.count_withdrawal("c/r")
    leaving.count_exits("c/r", 0, 0)
    assert told(leaving) == {}
    leaving.count_exits("c/r", 1, 1)
    leaving.count_withdrawal("c/r")
    assert told(leaving) == {"c/r": [0, 0, 1, 1]}
