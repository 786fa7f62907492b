"""Scores a day: from its cohorts and package to estimates, levels, nudge decisions, snapshots and rows."""

from engine.accounts.renaming import rename_run
from engine.batch.decoding import Message
from engine.day.cohorts import Cohort
from engine.day.nudge_outcomes import ExposureFollowUp
from engine.outputs import Outputs
from engine.rules import Rules
from engine.scoring.estimates import CohortEstimator
from engine.scoring.learner_facts import merge_fact, rename_fact
from engine.scoring.level_changes import LevelChanges
from engine.scoring.nudging import Nudging
from engine.scoring.scoring_day import ScoredCohort, ScoringDay
from engine.scoring.snapshots import offer_snapshots
from engine.scoring.store_rows import StoreRows
from engine.state.partition_state import PartitionState
from schemas.learning import CarriedAccount


class DayScoring:
    """Scores the enrolments of one partition."""

    def __init__(
        self, partition: int, rules: Rules, state: PartitionState, follow_up: ExposureFollowUp
    ) -> None:
        self._state = state
        self._follow_up = follow_up
        self._rows = StoreRows(partition, state)
        self._nudging = Nudging(rules, state, follow_up, self._rows)
        self._estimator = CohortEstimator(state, rules.levels)
        self._levels = LevelChanges(state, rules.levels, self._estimator)

    def apply_feedback(self, message: Message, outputs: Outputs) -> None:
        """Apply a message of the feedback topic, decoded and validated; see :mod:`engine.scoring.nudging`."""
        self._nudging.apply_feedback(message, outputs)

    def apply_enrolment_fact(self, fact: Message) -> None:
        """Apply an enrolment, a withdrawal or a result at its day's close; see ``score``."""
        self._nudging.apply_enrolment_fact(fact)

    def cancel_account(self, learner: str, today: int) -> None:
        """Cancel what is planned for an account that is merged at the close of a day; see ``score``."""
        self._nudging.cancel_account(learner, today)

    def rename_run(self, fact: Message) -> None:
        """Give a run its new name at a close; see ``score``."""
        old = self._state.renames.apply(fact["course_run"], fact["into"], fact["time"])
        if old is not None:
            rename_run(
                self._state,
                old,
                fact["into"],
                self._follow_up,
                lambda learner: self._nudging.note_fact(rename_fact(fact, old, learner)),
            )

    def note_merge(self, account: CarriedAccount, name: str, course_run: str) -> None:
        """Note for the store that an account's history goes on under another name; see ``score``."""
        self._nudging.note_fact(merge_fact(account, name, course_run, self._state))

    def score(self, cohorts: list[Cohort], day: ScoringDay, outputs: Outputs) -> list[ScoredCohort]:
        """Estimate every enrolment in force as of the start of the day.

        Returns the cohorts with their estimates; messages and rows are added to ``outputs``.
        """
        self._nudging.adopt_policy(day.package)
        outputs.extend(self._nudging.pop_outputs_of_close())
        return [self._score_cohort(cohort, day, outputs) for cohort in cohorts]

    def _score_cohort(self, cohort: Cohort, day: ScoringDay, outputs: Outputs) -> ScoredCohort:
        scored = self._estimator.estimate(cohort, day)
        moved = self._levels.move(scored, day)
        changes = [level_change.change for level_change in moved]
        outputs.risk_changes += changes
        for level_change in moved:
            self._rows.write_change(level_change.slot, level_change.change, outputs)
        self._nudging.decide(moved, cohort, day, outputs)
        self._rows.write_levels(scored, day, changes, outputs)
        offer_snapshots(self._state, scored, day)
        self._rows.write_engagement(cohort, day.day, outputs)
        self._rows.write_returns(cohort, day.day, outputs)
        self._rows.write_history(scored, day, outputs)
        self._state.mark_changed(cohort.slots)
        return scored
