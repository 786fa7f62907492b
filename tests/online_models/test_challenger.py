"""Champion and challenger: learning side by side, changing places, going on from a package."""

import numpy as np

from online_models.challenger import RETAINED_SHARE, ChampionChallenger
from online_models.classifier import MIN_EXAMPLES_PER_CLASS, RiskClassifier
from schemas.learning import DayPackage, TrainingExample
from tests.online_models.examples import seeded


def labelled(count: int, seed: int, *, turned: bool) -> list[TrainingExample]:
    """Examples whose label is in their first feature; ``turned`` is the other way round."""
    examples: list[TrainingExample] = []
    for example in seeded(count, seed=seed):
        label = (example.codes[0] > 31) != turned
        examples.append(example.model_copy(update={"label": label, "enrolment": f"{seed}-{len(examples)}"}))
    return examples


def package_of(pair: ChampionChallenger, day: int) -> DayPackage:
    champion, challenger = pair.snapshots(day)
    package = DayPackage(
        day=day,
        features=champion.features,
        cohorts={},
        model=champion,
        challenger=challenger,
        drift={"contest": pair.contest.state()},
    )
    return DayPackage.model_validate_json(package.model_dump_json())


def test_the_two_change_places_when_the_challenger_has_won() -> None:
    pair = ChampionChallenger()
    for day in range(24):
        champion, challenger = pair.champion, pair.challenger
        if pair.learn(labelled(120, day, turned=day >= 8)):
            assert (pair.champion, pair.challenger) == (challenger, champion)
        else:
            assert (pair.champion, pair.challenger) == (champion, challenger)
    assert pair.contest.promotions > 0


def test_the_champion_is_the_classifier_alone_until_a_promotion() -> None:
    pair, alone = ChampionChallenger(), RiskClassifier()
    for day in range(6):
        some = labelled(100, day, turned=False)
        pair.learn(some)
        alone.learn(some)
    assert pair.contest.promotions == 0
    assert pair.champion.weights() == alone.weights()
    assert pair.challenger.weights() != alone.weights()
    assert min(alone.positives, alone.examples - alone.positives) > MIN_EXAMPLES_PER_CLASS
    assert pair.contest.rounds > 0


def test_a_package_holds_all_of_it() -> None:
    whole = ChampionChallenger()
    for day in range(24):
        part = ChampionChallenger.from_package(package_of(whole, day))
        some = labelled(120, day, turned=day >= 8)
        assert part.learn(some) == whole.learn(some)
        assert part.contest == whole.contest
        assert part.champion.weights() == whole.champion.weights()
        assert part.challenger.weights() == whole.challenger.weights()
    assert whole.contest.promotions > 0


def test_forgetting_makes_the_next_steps_larger() -> None:
    steady, forgetful = RiskClassifier(), RiskClassifier()
    for each in (steady, forgetful):
        each.learn(labelled(300, 1, turned=False))
    forgetful.forget(RETAINED_SHARE)
    before, turned = np.array(steady.weights()), labelled(50, 2, turned=True)
    for each in (steady, forgetful):
        each.learn(turned)
    moved = [np.abs(np.array(each.weights()) - before).sum() for each in (steady, forgetful)]
    assert moved[1] > 1.1 * moved[0]
