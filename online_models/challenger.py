"""Two models side by side: the champion serves, the challenger learns the same examples in its shadow.

The challenger differs in one thing: before it learns from a day's examples it reduces AdaGrad's accumulated
squares, so that its learning rates stay high and recent examples count for more. That model is worse while
the data are stationary, and better under drift. ``contest`` decides when it has won; then the two swap roles,
and the old champion may win its role back. Both models are compared on examples that neither has learned from
yet.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from online_models.classifier import MODEL_NAME, RiskClassifier
from online_models.contest import Contest, loss_differences
from online_models.network import example_batch
from online_models.scoring import scorer_of
from schemas.learning import DayPackage, ModelSnapshot, TrainingExample

RETAINED_SHARE = 0.5
"""Share of AdaGrad's accumulated squares that the forgetting model retains from one learning day to the
next."""


class ChampionChallenger:
    """Champion and challenger. Both learn every day's examples, in the same order."""

    def __init__(self) -> None:
        self.champion = RiskClassifier()
        self.challenger = RiskClassifier()
        self.contest = Contest()
        self._snapshots: tuple[ModelSnapshot, ModelSnapshot] | None = None
        """Cached: on most days there are no examples to learn from."""

    @property
    def _forgetting(self) -> RiskClassifier:
        """The model that forgets: every promotion swaps the two."""
        return self.champion if self.contest.promotions % 2 else self.challenger

    def learn(self, examples: Sequence[TrainingExample]) -> bool:
        """Compare both on the examples, then learn from them; True where the challenger was promoted."""
        if not examples:
            return False
        promoted = self._compare(examples)
        if promoted:
            self.champion, self.challenger = self.challenger, self.champion
        self._snapshots = None
        self._forgetting.forget(RETAINED_SHARE)
        self.champion.learn(examples)
        self.challenger.learn(examples)
        return promoted

    def _compare(self, examples: Sequence[TrainingExample]) -> bool:
        if self.champion.warming_up or self.challenger.warming_up:
            return False
        enrolments = [(example.enrolment, example.course_run) for example in examples]
        labels = [example.label for example in examples]
        estimates = [probabilities(model, examples) for model in (self.champion, self.challenger)]
        return self.contest.update(loss_differences(enrolments, labels, *estimates))

    def snapshots(self, day: int) -> tuple[ModelSnapshot, ModelSnapshot]:
        """Snapshots of champion and challenger. Their version names the day on which they last learned."""
        if self._snapshots is None:
            promotions = self.contest.promotions
            version = f"{MODEL_NAME}-{day}-{self.champion.examples}" + (
                f"-p{promotions}" if promotions else ""
            )
            self._snapshots = (
                self.champion.snapshot(version),
                self.challenger.snapshot(version + "-challenger"),
            )
        return self._snapshots

    @classmethod
    def from_package(cls, package: DayPackage) -> "ChampionChallenger":
        """The two models as they were after ``package``.

        Raises:
            ValueError: if other models made the package.
        """
        pair = cls()
        pair.champion = RiskClassifier.from_snapshot(package.model)
        pair.challenger = RiskClassifier.from_snapshot(package.challenger or package.model)
        contest = package.drift.get("contest")
        pair.contest = Contest.from_state(contest if isinstance(contest, dict) else {})
        if package.challenger is not None:
            pair._snapshots = package.model, package.challenger
        return pair


def probabilities(classifier: RiskClassifier, examples: Sequence[TrainingExample]) -> NDArray[np.float64]:
    """P(lost) of examples by a model, [n]."""
    return scorer_of(classifier.snapshot("judged")).estimate(example_batch(examples)).lost
