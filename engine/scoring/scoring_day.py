"""A day that is scored, with its package, and a cohort with its estimates."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engine.day.cohorts import Cohort
from features.bins import Codes
from features.coursework import Run
from features.packed_arrays import unpack
from features.ring import Ints
from nudges.experiments.outcome_chooser import stage_sums
from online_models.design import Estimate
from online_models.memory import Memory, smooth_estimate
from online_models.recommender import Recommender
from online_models.scoring import Scorer, scorer_of
from schemas.learning import DayPackage
from schemas.risk import ModelState

Estimates = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class ScoringDay:
    """An epoch day to score, and the package with which it is scored.

    stale: the package is of an earlier day than it should be. suspect: runs of which a source was quiet or
    faulty on the closed day.
    """

    day: int
    package: DayPackage
    scorer: Scorer
    """Of runs with an end."""
    open_scorer: Scorer
    """Of runs without one."""
    stale: bool
    suspect: frozenset[str]
    learned: dict[str, Ints]
    """Bandit sums by campaign, variant and stage."""
    recommender: Recommender

    @classmethod
    def of(cls, day: int, package: DayPackage, *, stale: bool) -> "ScoringDay":
        suspect = frozenset(run for verdict in package.quality.verdicts for run in verdict.course_runs)
        early, choices = (
            {name: unpack(sums) for name, sums in packed.items()}
            for packed in (package.early, package.choices)
        )
        learned = stage_sums(early, choices)
        scorers = scorer_of(package.model), scorer_of(package.open_model)
        return cls(day, package, *scorers, stale, suspect, learned, Recommender(package.next_items))

    def state_of(self, run: Run) -> ModelState:
        """The state of the model for a run."""
        state = self._scorer(run).state
        return "stale" if self.stale and state == "serving" else state

    def version_of(self, run: Run) -> str:
        """The version of the model for a run."""
        model = self.package.model if run.has_end else self.package.open_model or self.package.model
        return model.model_version

    def shift(self, run: Run) -> float:
        """The run's intercept, added to its log-odds; 0 while the model is warming up."""
        is_warming_up = self._scorer(run).state == "warming_up"
        return 0.0 if is_warming_up else self.package.intercepts.get(run.name, 0.0)

    def scorer_of(self, run: Run) -> Scorer:
        """The scorer of a run, with its intercept."""
        return self._scorer(run).with_intercept(self.shift(run))

    def serve(self, run: Run, memory: Memory, raw: Estimate) -> tuple[Memory, Estimate]:
        """The memory after the day's raw estimates, and the served ones; the raw ones while warming up."""
        return (memory, raw) if self._scorer(run).state == "warming_up" else smooth_estimate(memory, raw)

    def _scorer(self, run: Run) -> Scorer:
        return self.scorer if run.has_end else self.open_scorer


@dataclass(frozen=True, slots=True)
class ScoredCohort:
    """A cohort with its ranks and estimates for a day."""

    cohort: Cohort
    ranks: Codes
    probability: Estimates
    """P(lost)"""
    exit_probability: Estimates
    """P(exit within the next three weeks)"""
    remembered: Estimates
    """Contribution of earlier days to the log-odds of P(lost): those served minus the day's raw ones."""
    memory: Memory
    """The memory of earlier days, before this day's estimates."""
    shift: float
    """Contribution of the run's intercept to the log-odds."""
