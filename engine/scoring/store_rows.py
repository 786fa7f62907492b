"""The rows that scoring writes to the store, table by table. Learners appear under pseudonyms only.

``sinks.tables`` declares the columns.
"""

from dataclasses import fields

import numpy as np

from engine.day.aggregates import as_date, risk_row
from engine.day.cohorts import Cohort
from engine.outputs import Outputs
from engine.scoring.learner_facts import Fact
from engine.scoring.scoring_day import ScoredCohort, ScoringDay
from engine.state.partition_state import PartitionState
from features.bins import Codes
from features.ring import RING, Ints
from nudges.levels import level_name
from schemas.nudge import NudgeDecision
from schemas.risk import RiskChange

WRITE_MOVED = 0.05
WRITE_EVERY = 7
"""``risk_history`` gets an estimate that moved by at least this much or changed its level, and one every so
many days."""


class StoreRows:
    """Adds the rows of one partition to outputs."""

    def __init__(self, partition: int, state: PartitionState) -> None:
        self._partition = partition
        self._state = state

    def write_history(self, scored: ScoredCohort, day: ScoringDay, outputs: Outputs) -> None:
        """Add to ``risk_history`` what moved or changed level since its last row, or has none for a week.

        The state stores what was written.
        """
        rows, slots = self._state.rows, scored.cohort.slots
        moved = np.abs(rows["written"][slots] - scored.probability) >= WRITE_MOVED
        indices = np.flatnonzero(moved | (rows["written_day"][slots] + WRITE_EVERY <= day.day))
        slots, count = slots[indices], len(indices)
        rows["written"][slots] = scored.probability[indices]
        rows["written_day"][slots] = day.day
        outputs.add_rows(
            "risk_history",
            {
                "learner": [self._state.pseudonyms[slot][0] for slot in slots.tolist()],
                "course_run": [scored.cohort.run.name] * count,
                "day": [as_date(day.day)] * count,
                "probability": scored.probability[indices].tolist(),
                "exit_probability": scored.exit_probability[indices].tolist(),
                "level": [level_name(level) for level in rows["level"][slots].tolist()],
                "model_state": [day.state_of(scored.cohort.run)] * count,
                "model_version": [day.version_of(scored.cohort.run)] * count,
                "partition": [self._partition] * count,
                "version": [day.day] * count,
                "clicks": _last_week(rows["clicks"], slots, day.day),
            },
        )

    def write_levels(
        self, scored: ScoredCohort, day: ScoringDay, changes: list[RiskChange], outputs: Outputs
    ) -> None:
        """Add a cohort's levels on the day to ``risk_daily``. changes: the day's, of that cohort."""
        levels = self._state.rows["level"][scored.cohort.slots]
        outputs.add_row(
            "risk_daily",
            day=as_date(day.day),
            course_run=scored.cohort.run.name,
            partition=self._partition,
            model_state=day.state_of(scored.cohort.run),
            **risk_row(levels, scored.probability, changes),
            version=day.day,
        )

    def write_engagement(self, cohort: Cohort, day: int, outputs: Outputs) -> None:
        """Add the engagement of the day before ``day``, an epoch day, to ``engagement_daily``."""
        key = {"course_run": cohort.run.name, "day": as_date(day - 1), "partition": self._partition}
        outputs.add_row("engagement_daily", **key, **cohort.engagement, version=day)

    def write_returns(self, cohort: Cohort, day: int, outputs: Outputs) -> None:
        """Add to ``learner_facts`` who was active on the day before ``day`` after an idle week or more."""
        active = np.flatnonzero(cohort.hours[:, (day - 1) % RING].any(axis=1))
        week = cohort.hours[active[:, None], [past % RING for past in range(day - 8, day - 1)]]
        slots = cohort.slots[active[~week.any(axis=(1, 2))]]
        for slot in slots[self._state.rows["first_active"][slots] < day - 8].tolist():
            learner, course_run = self._state.key(slot)
            name = f"{self._state.pseudonyms[slot][1]}/{day}"
            fact = Fact(learner, course_run, self._state.days.start(day - 1), "returned", name)
            self.write_fact(fact, outputs)

    def write_fact(self, fact: Fact, outputs: Outputs) -> None:
        """Add a fact, under pseudonyms, to ``learner_facts``."""
        pseudonym = self._state.pseudonym
        # Not asdict, which copies values deeply.
        row = {column.name: getattr(fact, column.name) for column in fields(fact)}
        row |= {"learner": pseudonym(fact.learner), "fact_id": pseudonym(fact.fact_id)}
        outputs.add_row("learner_facts", **row, partition=self._partition)

    def write_change(self, slot: int, change: RiskChange, outputs: Outputs) -> None:
        """Add a risk change of the enrolment in a slot to ``risk_changes``."""
        learner, _ = self._state.pseudonyms[slot]
        row = change.model_dump(exclude={"type", "learner", "reasons", "parts"})
        outputs.add_row(
            "risk_changes",
            **row | {"day": as_date(change.day), "version": change.day},
            learner=learner,
            reasons=[reason.text for reason in change.reasons],
            contributions=[reason.contribution for reason in change.reasons],
            features=[reason.feature for reason in change.reasons],
            reliefs=[reason.relief or "" for reason in change.reasons],
            partition=self._partition,
        )

    def write_decision(self, decision: NudgeDecision, outputs: Outputs) -> None:
        """Add a nudge decision to ``nudge_ledger``."""
        row = decision.model_dump(exclude={"type", "version"}) | {"channel": decision.channel or ""}
        row |= {"learner": self._state.pseudonym(decision.learner), "partition": self._partition}
        outputs.add_row("nudge_ledger", **row)


def _last_week(clicks: Codes, slots: Ints, day: int) -> list[list[int]]:
    """Clicks on each of the seven days before ``day``, the newest first; from the ring, [n, days, kinds]."""
    buckets = [(day - back) % RING for back in range(1, WRITE_EVERY + 1)]
    days: list[list[int]] = clicks[slots[:, None], buckets].sum(axis=2, dtype=np.int64).tolist()
    return days
