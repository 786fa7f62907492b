"""Estimates of one cohort on one day: the day's own, steadied, and what of them holds under doubt."""

import numpy as np

from engine.day.cohorts import Cohort
from engine.scoring.scoring_day import Estimates, ScoredCohort, ScoringDay
from engine.state.partition_state import PartitionState
from features.bins import Codes
from features.coursework import Run
from features.packed_arrays import unpack
from nudges.levels import LevelSettings, agreed, moving
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
        """A cohort's estimates, steadied by those of the days before, which the state remembers.

        Called once a day and cohort: it notes the day's estimates, unless a source of the run is suspect.
        """
        ranks = _ranks(cohort.run, cohort.codes, day.package)
        run, shift = cohort.run, day.shift(cohort.run)
        own = day.scorer_of(run).estimate(seen_of_run(run, cohort.codes, ranks))
        memory = self._state.rows["memory"]
        before = memory[cohort.slots]
        after, served = day.serve(before, own)
        if run.name not in day.suspect:
            memory[cohort.slots] = after
            if day.scorer.state == "serving":
                self._state.leaving.foretell(run.name, logistic(log_odds_of(own.exits) - shift))
        remembered = log_odds_of(served.lost) - log_odds_of(own.lost)
        return ScoredCohort(cohort, ranks, served.lost, served.exits, remembered, before, shift)

    def robust(self, scored: ScoredCohort, day: ScoringDay) -> Estimates:
        """The P(lost) that levels go by, [n]: of who would move, what holds whatever happened unseen."""
        cohort, settings = scored.cohort, self._levels
        level = self._state.rows["level"][cohort.slots]
        places = np.flatnonzero(moving(level, scored.probability, settings))
        if cohort.doubt is None or not len(places):
            return scored.probability
        cases = [scored.probability[places]]
        for codes in cohort.doubt.cases(places):
            seen = seen_of_run(cohort.run, codes, _ranks(cohort.run, codes, day.package))
            own = day.scorer_of(cohort.run).estimate(seen)
            cases.append(day.serve(scored.memory[places], own)[1].lost)
        believed = scored.probability.copy()
        believed[places] = agreed(level[places], np.min(cases, axis=0), np.max(cases, axis=0), settings)
        return believed


def seen_of_run(run: Run, codes: Codes, ranks: Codes) -> FeatureBatch:
    """What a model is given of enrolments of a run. codes, ranks: uint8 [features, n]."""
    return FeatureBatch.of_run(codes, ranks, run.name, run.start if run.known else None)


def _ranks(run: Run, codes: Codes, package: DayPackage) -> Codes:
    """Ranks by the package's profile of the run; in the middle where it has none."""
    profile = package.cohorts.get(run.name)
    return np.full_like(codes, MIDDLE) if profile is None else ranks_of(codes, unpack(profile))
