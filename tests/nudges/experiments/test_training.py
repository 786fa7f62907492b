"""What nudged learners may teach: the model must learn what happens when nobody does anything."""

import numpy as np
import pytest

from nudges.experiments.training import NOT_NUDGED, NudgeHistory, untreated_weight


def test_the_three_cases() -> None:
    assert untreated_weight(100) == 1.0
    assert untreated_weight(100, NudgeHistory(sent=100)) == 0.0
    assert untreated_weight(100, NudgeHistory(withheld=100, holdout_share=0.1)) == pytest.approx(10.0)


def test_what_lay_before_the_snapshot_is_history() -> None:
    assert untreated_weight(100, NudgeHistory(sent=99)) == 1.0
    assert untreated_weight(100, NudgeHistory(withheld=99, holdout_share=0.1)) == 1.0
    assert untreated_weight(99, NudgeHistory(sent=98, withheld=99, holdout_share=0.25)) == 4.0
    with pytest.raises(ValueError, match="expected more than 0, up to 1"):
        untreated_weight(100, NudgeHistory(withheld=100, holdout_share=0.0))


def test_a_learner_saved_by_a_nudge_is_no_false_alarm() -> None:
    """Two thirds of the alarmed would be lost; nudges save half of these. Weighted, the share of the lost is
    what it would have been without nudges; as the outcomes came, the alarms look half wrong."""
    rng, n, share = np.random.default_rng(8), 60_000, 0.2
    alarmed = rng.random(n) < 0.3
    would_be_lost = rng.random(n) < np.where(alarmed, 2 / 3, 0.1)
    held = alarmed & (rng.random(n) < share)
    nudged = alarmed & ~held
    lost = would_be_lost & ~(nudged & (rng.random(n) < 0.5))
    cases = {
        "none": untreated_weight(10, NOT_NUDGED),
        "held": untreated_weight(10, NudgeHistory(withheld=10, holdout_share=share)),
        "nudged": untreated_weight(10, NudgeHistory(sent=10)),
    }
    weights = np.where(nudged, cases["nudged"], np.where(held, cases["held"], cases["none"]))
    assert lost[alarmed].mean() == pytest.approx(0.4, abs=0.02)
    assert np.average(lost[alarmed], weights=weights[alarmed]) == pytest.approx(2 / 3, abs=0.02)
    assert np.average(lost, weights=weights) == pytest.approx(would_be_lost.mean(), abs=0.01)
