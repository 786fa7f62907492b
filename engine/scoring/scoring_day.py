"""A day that is scored: its package and what that makes of estimates, and a cohort once it has them."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engine.day.cohorts import Cohort
from features.bins import Codes
from features.coursework import Run
from features.packed_arrays import unpack
from features.ring import Ints
from nudges.experiments.learned import stages
from online_models.design import Estimate
from online_models.memory import Memory, smooth_estimate
from online_models.recommender import Recommender
from online_models.scoring import Scorer, scorer_of
from schemas.learning import DayPackage
from schemas.risk import ModelState

Estimates = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class ScoringDay:
    """The day to estimate, the package to do it with, and what that makes the estimates.

    suspect: runs of which a source was quiet or mad on the day that closed.
    """

    day: int
    package: DayPackage
    scorer: Scorer
    model_state: ModelState
    suspect: frozenset[str]
    learned: dict[str, Ints]
    """What outcomes have taught about variants, by campaign and variant, and by stage."""
    recommender: Recommender

    @classmethod
    def of(cls, day: int, package: DayPackage, *, stale: bool) -> "ScoringDay":
        scorer = scorer_of(package.model)
        served: ModelState = "stale" if stale and scorer.state == "serving" else scorer.state
        suspect = frozenset(run for verdict in package.quality.verdicts for run in verdict.course_runs)
        early, choices = (
            {name: unpack(sums) for name, sums in found.items()} for found in (package.early, package.choices)
        )
        learned = stages(early, choices)
        return cls(day, package, scorer, served, suspect, learned, Recommender(package.next_items))

    def shift(self, run: Run) -> float:
        """How far a run's log-odds are off as a whole; the prior is no model that could be."""
        return 0.0 if self.scorer.state == "warming_up" else self.package.intercepts.get(run.name, 0.0)

    def scorer_of(self, run: Run) -> Scorer:
        """What to score a run with."""
        return self.scorer.with_intercept(self.shift(run))

    def serve(self, memory: Memory, own: Estimate) -> tuple[Memory, Estimate]:
        """What is remembered after the day's own estimates, and what is served; while no model does, they."""
        return (memory, own) if self.scorer.state == "warming_up" else smooth_estimate(memory, own)


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
    """What earlier days make of the log-odds of being lost: those served, less the day's own."""
    memory: Memory
    """What earlier days left to steady these with."""
    shift: float
    """What the run's intercept added to the log-odds of the day's own."""
