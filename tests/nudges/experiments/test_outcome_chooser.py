"""Campaigns that choose by outcomes: propensities are those of the draw; what did better is drawn more."""

from collections import Counter

import numpy as np
import pytest
from pydantic import ValidationError

from nudges.choosing import Situation, by_weight
from nudges.experiments.bandit import FLOOR, Ints, context_of, outcome_sums
from nudges.experiments.outcome_chooser import outcome_chooser, stage_sums
from nudges.experiments.outcomes import STAGES
from nudges.policy import REACH_OUT, Campaign, Variant

BOTH = tuple(Variant(name=name, suggestions=REACH_OUT.variants[0].suggestions) for name in ("short", "long"))
LEARNS = REACH_OUT.model_copy(update={"variants": BOTH, "choosing": "outcomes"})
WEIGHS = REACH_OUT.model_copy(update={"variants": BOTH})
SILENCE, DEADLINES = context_of("silence", "medium"), context_of("deadlines", "medium")


def after(n: int) -> dict[str, Ints]:
    """Outcomes by which the long text is better in silence and the short one where a deadline was missed."""
    sums: dict[str, Ints] = {}
    for variant, good in (("short", DEADLINES), ("long", SILENCE)):
        contexts = np.array([SILENCE, DEADLINES] * n)
        rewards = np.array(
            [context == good and index % 5 > 0 for index, context in enumerate([SILENCE, DEADLINES] * n)]
        )
        sums[f"reach-out/{variant}"] = outcome_sums(contexts, rewards.astype(np.int64))
    return stage_sums({}, sums)


def draws(
    campaign: Campaign, context: tuple[int, ...], learned: dict[str, Ints]
) -> Counter[tuple[str, float]]:
    counts: Counter[tuple[str, float]] = Counter()
    for number in range(2_000):
        choice = outcome_chooser("key", f"change-{number}", context, learned)(
            campaign, (f"learner-{number}", "A/1"), Situation()
        )
        counts[choice.variant, choice.propensity] += 1
    return counts


@pytest.mark.parametrize(("context", "better"), [(SILENCE, "long"), (DEADLINES, "short")])
def test_each_situation_gets_what_did_better_there(context: tuple[int, ...], better: str) -> None:
    counts = draws(LEARNS, context, after(300))
    worse = "long" if better == "short" else "short"
    assert set(counts) == {(better, 1 - FLOOR), (worse, FLOOR)}
    for (_, propensity), times in counts.items():
        assert times / 2_000 == pytest.approx(propensity, abs=0.02), "drawn as often as it says"


def test_what_is_seen_early_counts_and_what_has_another_shape_does_not() -> None:
    rewards = {name: stages[-1] for name, stages in after(300).items()}
    early = {name: np.stack([stages] * (STAGES - 1)) for name, stages in rewards.items()}
    for learned in (stage_sums(early, {}), stage_sums(early, {"reach-out/long": np.zeros((2, 3), np.int64)})):
        assert set(draws(LEARNS, SILENCE, learned)) == {("long", 1 - FLOOR), ("short", FLOOR)}
    assert {
        share
        for _, share in draws(LEARNS, SILENCE, stage_sums({}, {"reach-out/long": early["reach-out/long"]}))
    } == {0.5}


def test_untried_variants_are_drawn_alike() -> None:
    assert {propensity for _, propensity in draws(LEARNS, SILENCE, {})} == {0.5}


def test_an_enrolment_is_drawn_anew_for_each_change_and_keeps_its_variant_by_weight() -> None:
    chosen = {
        campaign.choosing: {
            outcome_chooser("key", f"change-{number}", SILENCE, {})(
                campaign, ("ann", "A/1"), Situation()
            ).variant
            for number in range(20)
        }
        for campaign in (LEARNS, WEIGHS)
    }
    assert chosen["outcomes"] == {"short", "long"}
    assert chosen["weights"] == {by_weight("key")(WEIGHS, ("ann", "A/1"), Situation()).variant}


def test_what_was_proposed_must_be_what_is_sent() -> None:
    plain = LEARNS.model_dump() | {"approval": "instructor"}
    with pytest.raises(ValidationError, match="choosing is 'outcomes' and approval 'instructor'"):
        Campaign.model_validate(plain)
