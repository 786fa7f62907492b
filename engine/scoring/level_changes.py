"""Levels of risk of a scored cohort: which change, why, and the risk change that says so."""

from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import blake2b

import numpy as np

from engine.scoring.estimates import CohortEstimator, seen_of_run
from engine.scoring.scoring_day import ScoredCohort, ScoringDay
from engine.scoring.store_rows import WRITE_EVERY
from engine.state.partition_state import PartitionState
from engine.state.row_layout import NOT_ESTIMATED
from features.packed_arrays import unpack
from features.ring import Ints
from nudges.levels import Levels, LevelSettings, name, step
from online_models.explanations import Explanation, confirmation_reason, explain, typical_learner
from online_models.scoring import DECIMALS
from schemas.fields import DAY_S
from schemas.risk import RiskChange


@dataclass(frozen=True, slots=True)
class LevelChange:
    """A risk change, and whose it is. place: of the enrolment in its cohort; slot: in the state."""

    place: int
    slot: int
    change: RiskChange


class LevelChanges:
    """Moves the levels of one partition's enrolments."""

    def __init__(self, state: PartitionState, settings: LevelSettings, estimator: CohortEstimator) -> None:
        self._state = state
        self._settings = settings
        self._estimator = estimator

    def move(self, scored: ScoredCohort, day: ScoringDay) -> list[LevelChange]:
        """Move the levels of a scored cohort, and note its estimates; the changes, ordered by learner.

        Called once a day and cohort. An enrolment that is scored for the first time has no change that day
        unless its level moves.
        """
        rows, slots = self._state.rows, scored.cohort.slots
        self._note_reported(scored, np.flatnonzero(rows["probability"][slots] == NOT_ESTIMATED))
        rows["probability"][slots] = scored.probability
        before = rows["level"][slots]
        levels = Levels(rows["level"], rows["candidate"], rows["streak"])
        robust, rising = self._estimator.robust(scored, day), scored.cohort.run.name not in day.suspect
        changed = np.flatnonzero(step(levels, robust, self._settings, slots, rising=rising))
        if not len(changed):
            return []
        by_learner = sorted(changed.tolist(), key=lambda place: self._state.key(int(slots[place])))
        explanations = self._explain(scored, by_learner, day)
        changes = [
            LevelChange(place, int(slots[place]), self._change(scored, place, int(before[place]), day, why))
            for place, why in zip(by_learner, explanations, strict=True)
        ]
        self._note_reported(scored, changed)
        rows["written_day"][slots[changed]] = day.day - WRITE_EVERY  # due: the store has the old level
        return changes

    def _explain(self, scored: ScoredCohort, places: list[int], day: ScoringDay) -> list[Explanation]:
        """Why each estimate differs from the last one reported, both as the scorer of the day sees them."""
        reported, run = self._state.rows[scored.cohort.slots[places]], scored.cohort.run
        profile = day.package.cohorts.get(run.name)
        return explain(
            day.scorer_of(run),
            seen_of_run(run, reported["told_codes"].T, reported["told_ranks"].T),
            seen_of_run(run, scored.cohort.codes[:, places], scored.ranks[:, places]),
            [_reported(estimate) for estimate in reported["told"].tolist()],
            scored.probability[places].tolist(),
            None if profile is None else typical_learner(unpack(profile)),
            (scored.remembered[places] - reported["told_memory"]).tolist(),
            (scored.shift - reported["told_shift"]).tolist(),
        )

    def _change(
        self, scored: ScoredCohort, place: int, before: int, day: ScoringDay, why: Explanation
    ) -> RiskChange:
        """The change of the enrolment at a place of its cohort. before: its level until now."""
        slot = int(scored.cohort.slots[place])
        key = self._state.key(slot)
        level = int(self._state.rows["level"][slot])
        now, was = float(scored.probability[place]), _reported(float(self._state.rows["told"][slot]))
        return RiskChange(
            risk_change_id=_change_id(key, day.day, level),
            learner=key[0],
            course_run=key[1],
            occurred_at=datetime.fromtimestamp(day.day * DAY_S, UTC),
            day=day.day,
            previous_level=name(before),
            level=name(level),
            probability=now,
            previous_probability=was,
            exit_probability=float(scored.exit_probability[place]),
            model_state=day.model_state,
            model_version=day.package.model.model_version,
            data_quality="suspect" if key[1] in day.suspect else "ok",
            reasons=[*confirmation_reason(name(before), name(level), was, now), *why.reasons],
            parts=why.parts,
        )

    def _note_reported(self, scored: ScoredCohort, places: Ints) -> None:
        """Note what the newest report on enrolments rested on; their next change is compared with it."""
        rows, slots = self._state.rows, scored.cohort.slots[places]
        rows["told"][slots] = scored.probability[places]
        rows["told_memory"][slots] = scored.remembered[places]
        rows["told_shift"][slots] = scored.shift
        rows["told_codes"][slots] = scored.cohort.codes[:, places].T
        rows["told_ranks"][slots] = scored.ranks[:, places].T


def _reported(probability: float) -> float:
    """An estimate as it was reported: rows keep it in four bytes, which hold its six decimals."""
    return round(probability, DECIMALS)


def _change_id(key: tuple[str, str], day: int, level: int) -> str:
    content = f"{len(key[0])}:{key[0]}{key[1]}\0{day}\0{level}".encode()
    return blake2b(content, digest_size=16).hexdigest()
