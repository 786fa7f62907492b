"""What a partition counts of who was foretold to leave and who left."""

import numpy as np

from engine.state.withdrawals import WithdrawalCounts


def as_lists(counts: WithdrawalCounts) -> dict[str, list[int]]:
    return {run: counts.tolist() for run, counts in counts.pop().items()}


def test_a_days_counts_are_told_once_and_survive_a_restart() -> None:
    counts = WithdrawalCounts()
    counts.add_forecast("c/r", np.array([0.25, 0.1]))
    counts.count_withdrawal("c/r")
    counts.count_exits("c/q", 5, 3)
    counts = WithdrawalCounts(counts.as_json())
    assert as_lists(counts) == {"c/q": [0, 0, 5, 3], "c/r": [350_000, 1, 0, 0]}
    assert as_lists(counts) == {}


def test_a_withdrawal_of_which_nothing_was_foretold_counts_for_nothing() -> None:
    counts = WithdrawalCounts()
    counts.count_withdrawal("c/r")
    counts.count_exits("c/r", 0, 0)
    assert as_lists(counts) == {}
    counts.count_exits("c/r", 1, 1)
    counts.count_withdrawal("c/r")
    assert as_lists(counts) == {"c/r": [0, 0, 1, 1]}
