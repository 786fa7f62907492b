"""Two models side by side: the champion serves, the challenger learns the same and waits for its chance.

The challenger differs in one thing: before it learns from a day's examples it forgets a part of how much it
has seen, so that its steps stay large and what is new counts for more. That is a worse model while the world
stays as it is, and a better one when it does not. ``contest`` says when it has won; then they change places,
and the old champion may win its place back. The estimates that decide are made by both models before
either has learned from the examples.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from online_models.classifier import NAME, RiskClassifier
from online_models.contest import Contest, differences
from online_models.network import seen_in
from online_models.scoring import scorer_of
from schemas.learning import DayPackage, ModelSnapshot, TrainingExample

KEPT = 0.5
"""Share of what was seen that the forgetting model keeps from one learning day to the next."""


class Pair:
    """Champion and challenger. Give both every day's examples, in one order."""

    def __init__(self) -> None:
        self.champion = RiskClassifier()
        self.challenger = RiskClassifier()
        self.contest = Contest()
        self._snapshots: tuple[ModelSnapshot, ModelSnapshot] | None = None
        """Of what was learned last: most days teach nothing."""

    @property
    def _forgetting(self) -> RiskClassifier:
        """The one that forgets: every promotion exchanged the two."""
        return self.champion if self.contest.promotions % 2 else self.challenger

    def learn(self, examples: Sequence[TrainingExample]) -> bool:
        """Judge both by the examples, then learn from them; whether the challenger was promoted."""
        if not examples:
            return False
        promoted = self._judge(examples)
        if promoted:
            self.champion, self.challenger = self.challenger, self.champion
        self._snapshots = None
        self._forgetting.forget(KEPT)
        self.champion.learn(examples)
        self.challenger.learn(examples)
        return promoted

    def _judge(self, examples: Sequence[TrainingExample]) -> bool:
        if self.champion.warming_up or self.challenger.warming_up:
            return False
        enrolments = [(example.enrolment, example.course_run) for example in examples]
        labels = [example.label for example in examples]
        estimates = [probabilities(each, examples) for each in (self.champion, self.challenger)]
        return self.contest.judge(differences(enrolments, labels, *estimates))

    def snapshots(self, day: int) -> tuple[ModelSnapshot, ModelSnapshot]:
        """Of the champion and of the challenger. Their version names the day on which they last learned."""
        if self._snapshots is None:
            promotions = self.contest.promotions
            version = f"{NAME}-{day}-{self.champion.examples}" + (f"-p{promotions}" if promotions else "")
            self._snapshots = (
                self.champion.snapshot(version),
                self.challenger.snapshot(version + "-challenger"),
            )
        return self._snapshots

    @classmethod
    def from_package(cls, package: DayPackage) -> "Pair":
        """The two as they were after ``package``. Raises ValueError where other models made it."""
        found = cls()
        found.champion = RiskClassifier.from_snapshot(package.model)
        found.challenger = RiskClassifier.from_snapshot(package.challenger or package.model)
        contest = package.drift.get("contest")
        found.contest = Contest.from_state(contest if isinstance(contest, dict) else {})
        if package.challenger is not None:
            found._snapshots = package.model, package.challenger
        return found


def probabilities(classifier: RiskClassifier, examples: Sequence[TrainingExample]) -> NDArray[np.float64]:
    """What a model says of examples, [n]."""
    return scorer_of(classifier.snapshot("judged")).estimate(seen_in(examples)).lost
