"""The contest of champion and challenger: rarely won without being better, surely won when better."""

import numpy as np
import pytest

from online_models.contest import ALPHA, Contest, loss_differences


def test_a_challenger_that_is_no_better_is_hardly_ever_promoted() -> None:
    rng = np.random.default_rng(1)
    won = sum(Contest().update(rng.normal(-0.001, 0.15, 3000).tolist()) for _ in range(300))
    assert won / 300 <= 2 * ALPHA


@pytest.mark.parametrize(("gain", "within"), [(0.02, 3000), (0.05, 800), (0.2, 150)])
def test_a_better_one_is_promoted_the_sooner_the_better(gain: float, within: int) -> None:
    rng = np.random.default_rng(2)
    won = [Contest().update(rng.normal(gain, 0.15, within).tolist()) for _ in range(40)]
    assert sum(won) >= 36


def test_one_bold_mistake_decides_nothing_and_a_won_contest_begins_anew() -> None:
    contest = Contest()
    assert not contest.update([50.0])
    assert contest.update([0.5] * 100)
    assert (contest.rounds, contest.evidence, contest.promotions) == (0, 0.0, 1)


def test_it_goes_on_from_its_state() -> None:
    rng = np.random.default_rng(3)
    rounds = rng.normal(0.01, 0.2, 400).tolist()
    whole, part = Contest(), Contest()
    whole.update(rounds)
    part.update(rounds[:150])
    part = Contest.from_state(part.state())
    part.update(rounds[150:])
    assert part == whole
    with pytest.raises(ValueError, match="contest: "):
        Contest.from_state({"rounds": "many"})


def test_an_enrolment_is_one_round() -> None:
    differences = loss_differences(
        ["a", "b", "a"], [True, False, True], np.array([0.5, 0.5, 0.25]), np.array([1.0, 0.5, 0.5])
    )
    assert differences == pytest.approx([np.log(2), 0.0])
