"""Risk levels of a scored cohort: which ones change, and the risk changes with their reasons."""

from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import blake2b

import numpy as np

from engine.scoring.estimates import CohortEstimator, model_inputs
from engine.scoring.scoring_day import ScoredCohort, ScoringDay
from engine.scoring.store_rows import WRITE_EVERY
from engine.state.partition_state import PartitionState
from engine.state.row_layout import in_cohort
from features.packed_arrays import unpack
from features.ring import Ints
from nudges.levels import Levels, LevelSettings, level_name, update_levels
from online_models.explanations import Explanation, confirmation_reason, explain, typical_learner
from online_models.scoring import DECIMALS
from schemas.risk import RiskChange


@dataclass(frozen=True, slots=True)
class LevelChange:
    """A risk change with the enrolment's index in its cohort and its slot in the state."""

    index: int
    slot: int
    change: RiskChange


class LevelChanges:
    """Moves the levels of one partition's enrolments."""

    def __init__(self, state: PartitionState, settings: LevelSettings, estimator: CohortEstimator) -> None:
        self._state = state
        self._settings = settings
        self._estimator = estimator

    def move(self, scored: ScoredCohort, day: ScoringDay) -> list[LevelChange]:
        """Move the levels of a scored cohort and store its estimates; returns the changes by learner.

        Called once a day and cohort.
        """
        rows, slots = self._state.rows, scored.cohort.slots
        self._note_reported(scored, np.flatnonzero(~in_cohort(rows, slots)))
        rows["probability"][slots] = scored.probability
        rows["is_estimated"][slots], rows["exit_counted"][slots] = 1, 0
        before = rows["level"][slots]
        levels = Levels(rows["level"], rows["candidate"], rows["streak"])
        robust = self._estimator.robust_probability(scored, day)
        rising = scored.cohort.run.name not in day.suspect
        changed = np.flatnonzero(update_levels(levels, robust, self._settings, slots, rising=rising))
        if not len(changed):
            return []
        by_learner = sorted(changed.tolist(), key=lambda index: self._state.key(int(slots[index])))
        explanations = self._explain(scored, by_learner, day)
        changes = [
            LevelChange(
                index, int(slots[index]), self._change(scored, index, int(before[index]), day, explanation)
            )
            for index, explanation in zip(by_learner, explanations, strict=True)
        ]
        self._note_reported(scored, changed)
        rows["written_day"][slots[changed]] = day.day - WRITE_EVERY  # due: the store has the old level
        return changes

    def _explain(self, scored: ScoredCohort, indices: list[int], day: ScoringDay) -> list[Explanation]:
        """Explain each estimate against the last reported one, both by the scorer of the day."""
        reported, run = self._state.rows[scored.cohort.slots[indices]], scored.cohort.run
        profile = day.package.cohorts.get(run.name)
        return explain(
            day.scorer_of(run),
            model_inputs(run, reported["reported_codes"].T, reported["reported_ranks"].T),
            model_inputs(run, scored.cohort.codes[:, indices], scored.ranks[:, indices]),
            [_reported(estimate) for estimate in reported["reported"].tolist()],
            scored.probability[indices].tolist(),
            None if profile is None else typical_learner(unpack(profile)),
            (scored.remembered[indices] - reported["reported_memory"]).tolist(),
            (scored.shift - reported["reported_shift"]).tolist(),
        )

    def _change(
        self, scored: ScoredCohort, index: int, before: int, day: ScoringDay, explanation: Explanation
    ) -> RiskChange:
        """The risk change of the enrolment at an index of its cohort. before: its previous level."""
        slot = int(scored.cohort.slots[index])
        key = self._state.key(slot)
        level = int(self._state.rows["level"][slot])
        now, was = float(scored.probability[index]), _reported(float(self._state.rows["reported"][slot]))
        return RiskChange(
            risk_change_id=_change_id(key, day.day, level),
            learner=key[0],
            course_run=key[1],
            occurred_at=datetime.fromtimestamp(self._state.days.start(day.day), UTC),
            day=day.day,
            previous_level=level_name(before),
            level=level_name(level),
            probability=now,
            previous_probability=was,
            exit_probability=float(scored.exit_probability[index]),
            model_state=day.state_of(scored.cohort.run),
            model_version=day.version_of(scored.cohort.run),
            data_quality="suspect" if key[1] in day.suspect else "ok",
            reasons=[
                *confirmation_reason(level_name(before), level_name(level), was, now),
                *explanation.reasons,
            ],
            parts=explanation.parts,
        )

    def _note_reported(self, scored: ScoredCohort, indices: Ints) -> None:
        """Store estimates and inputs of enrolments as reported: the baseline of their next change."""
        rows, slots = self._state.rows, scored.cohort.slots[indices]
        rows["reported"][slots] = scored.probability[indices]
        rows["reported_memory"][slots] = scored.remembered[indices]
        rows["reported_shift"][slots] = scored.shift
        rows["reported_codes"][slots] = scored.cohort.codes[:, indices].T
        rows["reported_ranks"][slots] = scored.ranks[:, indices].T


def _reported(probability: float) -> float:
    """A reported estimate with its six decimals; rows store it as float32."""
    return round(probability, DECIMALS)


def _change_id(key: tuple[str, str], day: int, level: int) -> str:
    content = f"{len(key[0])}:{key[0]}{key[1]}\0{day}\0{level}".encode()
    return blake2b(content, digest_size=16).hexdigest()
