"""What goes together on a learner's day, and what it says when events are lost."""

import numpy as np
import pytest
from numpy.typing import NDArray

from data_quality.companions import (
    KINDS,
    MIN_LEARNERS,
    Companions,
    count_companions,
    dump_companions,
    load_companions,
)
from data_quality.rhythm import SUSPECTED_AT, WARM
from schemas.activity import ACTIVITY_KINDS

HOME, CONTENT, FORUM, SUBMISSION = (
    ACTIVITY_KINDS.index(kind) for kind in ("home", "content", "forum", "submission")
)


def clicks(rng: np.random.Generator, learners: int, busy: float = 1.0) -> NDArray[np.uint8]:
    """A day on which nearly everybody comes by the home page, and does some of the rest. Who is less busy
    does less of that."""
    active = np.zeros((learners, KINDS), np.uint8)
    active[:, HOME] = rng.random(learners) < 0.96
    for kind, share in ((CONTENT, 0.5), (FORUM, 0.4)):
        active[:, kind] = rng.random(learners) < share * busy
    return active


def thinned(rng: np.random.Generator, active: NDArray[np.uint8], lost: float) -> NDArray[np.uint8]:
    return rng.binomial(active, 1 - lost).astype(np.uint8)


def learned(rng: np.random.Generator, learners: int = 80, days: int = 40) -> Companions:
    companions = Companions()
    for _ in range(days):
        companions.learn(count_companions(clicks(rng, learners)))
    return companions


def test_learners_are_counted_who_did_another_kind_and_who_did_this_one_too() -> None:
    day = np.zeros((4, KINDS), np.uint8)
    day[0, [HOME, CONTENT]] = 3, 1
    day[1, [CONTENT, FORUM]] = 1
    day[2, HOME] = 9  # nothing else
    day[3, SUBMISSION] = 1  # goes with nothing
    others, both = count_companions(day)
    assert (others[HOME], both[HOME]) == (2, 1)
    assert (others[CONTENT], both[CONTENT]) == (3, 2)
    assert (others[FORUM], both[FORUM]) == (3, 1)
    assert (others[SUBMISSION], both[SUBMISSION]) == (0, 0)


@pytest.mark.parametrize("lost", [0.3, 0.5, 0.8])
def test_lost_events_tear_apart_what_goes_together(lost: float) -> None:
    rng = np.random.default_rng(1)
    companions = learned(rng, 200)
    ratios = []
    for _ in range(20):
        day = thinned(rng, clicks(rng, 200), lost)
        loss = companions.compare(count_companions(day), np.log(1 - lost))
        assert loss is not None
        ratios.append(loss.ratio)
        assert loss.share_left == pytest.approx(1 - lost, abs=0.2)
    assert np.mean(ratios) > 1
    assert min(ratios) > -0.5


def test_that_learners_do_less_says_nothing() -> None:
    """Half as many, who do half as much: they come by the home page as before."""
    rng = np.random.default_rng(2)
    companions = learned(rng)
    evaluated = 0
    for day in range(100):
        loss = companions.compare(count_companions(clicks(rng, 40, busy=0.5)), np.log(0.25))
        if loss is not None:
            companions.add_evidence(day, loss.ratio, 5.0, reported=False)
            evaluated += 1
        assert not companions.is_suspected
    assert evaluated > 80


def test_where_no_less_came_than_usual_nothing_was_lost() -> None:
    """A platform without its old home page: nobody goes there, and as much is done as before."""
    rng = np.random.default_rng(3)
    companions = learned(rng)
    day = clicks(rng, 80)
    day[:, HOME] = 0
    loss = companions.compare(count_companions(day), 0.02)
    assert loss is not None
    assert loss.ratio < 0


def test_of_a_few_learners_or_days_nothing_is_said() -> None:
    rng = np.random.default_rng(4)
    assert learned(rng, days=WARM - 1).compare(count_companions(clicks(rng, 80)), 0.0) is None
    companions = learned(rng)
    before = dump_companions(companions)
    few = count_companions(clicks(rng, MIN_LEARNERS - 1))
    assert companions.compare(few, 0.0) is None
    companions.learn(few)
    assert dump_companions(companions) == before


def test_a_loss_in_doubt_is_not_learned() -> None:
    rng = np.random.default_rng(5)
    companions = learned(rng)
    companions.add_evidence(7, SUSPECTED_AT, 5.0, reported=False)
    before = dump_companions(companions)
    companions.learn(count_companions(thinned(rng, clicks(rng, 80), 0.5)))
    assert (companions.is_suspected, companions.since) == (True, 7)
    assert dump_companions(companions) == before
    assert dump_companions(load_companions(before)) == before
