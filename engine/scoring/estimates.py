"""Estimates of one cohort on one day: raw, smoothed over days, and robust to unobserved days."""

import numpy as np

from engine.day.cohorts import Cohort
from engine.scoring.scoring_day import Estimates, ScoredCohort, ScoringDay
from engine.state.partition_state import PartitionState
from features.bins import Codes
from features.coursework import Run
from features.packed_arrays import unpack
from nudges.levels import LevelSettings, least_moving, speaks_for_change
from online_models.cohorts import MIDDLE, ranks_of
from online_models.design import FeatureBatch
from online_models.scoring import log_odds_of, logistic
from schemas.learning import DayPackage


class CohortEstimator:
    """Estimates the enrolments of one partition."""

    def __init__(self, state: PartitionState, levels: LevelSettings) -> None:
        self._state = state
        self._levels = levels

    def estimate(self, cohort: Cohort, day: ScoringDay) -> ScoredCohort:
        """Estimate a cohort, smoothed by the estimates of the days before, which the state stores.

        Called once a day and cohort: it stores the day's estimates, unless a source of the run is suspect.
        """
        ranks = _ranks(cohort.run, cohort.codes, day.package)
        run, shift = cohort.run, day.shift(cohort.run)
        raw = day.scorer_of(run).estimate(model_inputs(run, cohort.codes, ranks))
        memory = self._state.rows["memory"]
        before = memory[cohort.slots]
        after, served = day.serve(run, before, raw)
        if run.name not in day.suspect:
            memory[cohort.slots] = after
            if run.has_end and day.scorer.state == "serving":
                self._state.withdrawal_counts.add_forecast(run.name, logistic(log_odds_of(raw.exits) - shift))
        remembered = log_odds_of(served.lost) - log_odds_of(raw.lost)
        return ScoredCohort(cohort, ranks, served.lost, served.exits, remembered, before, shift)

    def robust_probability(self, scored: ScoredCohort, day: ScoringDay) -> Estimates:
        """P(lost) for levels, [n]: a level moves only if it would in the best and the worst case too."""
        cohort, settings = scored.cohort, self._levels
        level = self._state.rows["level"][cohort.slots]
        indices = np.flatnonzero(speaks_for_change(level, scored.probability, settings))
        if cohort.case_bounds is None or not len(indices):
            return scored.probability
        cases = [scored.probability[indices]]
        for codes in cohort.case_bounds.best_and_worst(indices):
            inputs = model_inputs(cohort.run, codes, _ranks(cohort.run, codes, day.package))
            raw = day.scorer_of(cohort.run).estimate(inputs)
            cases.append(day.serve(cohort.run, scored.memory[indices], raw)[1].lost)
        robust = scored.probability.copy()
        robust[indices] = least_moving(level[indices], np.min(cases, axis=0), np.max(cases, axis=0), settings)
        return robust


def model_inputs(run: Run, codes: Codes, ranks: Codes) -> FeatureBatch:
    """The model's inputs for enrolments of a run. codes, ranks: uint8 [features, n]."""
    return FeatureBatch.of_run(codes, ranks, run.name, run.start if run.is_known else None)


def _ranks(run: Run, codes: Codes, package: DayPackage) -> Codes:
    """Ranks by the package's profile of the run, uint8 [features, n]; ``MIDDLE`` where it has none."""
    profile = package.cohorts.get(run.name)
    return np.full_like(codes, MIDDLE) if profile is None else ranks_of(codes, unpack(profile))
