"""The report of a closed day: the trainer's input from one partition."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from data_quality.companions import count_companions
from engine.day.cohorts import Cohort
from engine.day.nudge_outcomes import DayOutcomes
from engine.state.partition_state import PartitionState
from features.bins import histogram
from features.catalogue import FINGERPRINT
from features.packed_arrays import pack
from features.ring import RING, Ints, usual_hours
from online_models.recommender import Transitions, transitions_by_run
from schemas.learning import CarriedAccount, DayReport, TrainingExample
from schemas.packed import PackedArray


@dataclass(frozen=True, slots=True)
class DayContents:
    """Results of a day's close in one partition.

    day: the closed epoch day. examples: of matured labels. outcomes: of nudge decisions. transitions: between
    items, by run. carried: accounts that leave the partition.
    """

    day: int
    cohorts: list[Cohort]
    examples: list[TrainingExample]
    outcomes: DayOutcomes
    transitions: Transitions
    carried: list[CarriedAccount] = field(default_factory=list)


def day_report(state: PartitionState, partition: int, contents: DayContents) -> DayReport:
    """The report of a closed day, as one message; the transport cuts large ones (:mod:`engine.pieces`).

    Called once a day: it removes the day's counts by source and run from the state. Examples are sorted,
    since a state restored after a crash has them in another order, and the report must be the same.
    """
    examples = sorted(
        contents.examples, key=lambda example: (example.course_run, example.enrolment, example.day)
    )
    return DayReport.model_construct(  # valid by construction; the trainer validates it
        partition=partition,
        day=contents.day,
        part=0,
        parts=1,
        features=FINGERPRINT,
        examples=examples,
        **_cohort_fields(state, contents),
        **_nudge_fields(contents.outcomes),
        leaving={run: pack(counts) for run, counts in state.withdrawal_counts.pop().items()},
        sources=state.source_counters.pop(contents.day),
        transitions=transitions_by_run(contents.transitions),
        carried=contents.carried,
        claims=state.merges.claims(),
        renames=state.renames.pop_new(),
    )


def _cohort_fields(state: PartitionState, contents: DayContents) -> dict[str, Any]:
    """The report's fields with one array per cohort, by the run's name."""
    cohorts, day = contents.cohorts, contents.day
    clicks, bucket = state.rows["clicks"], day % RING
    return {
        "cohorts": {cohort.run.name: pack(histogram(cohort.codes)) for cohort in cohorts},
        "deadlines": {cohort.run.name: pack(cohort.deadlines) for cohort in cohorts if cohort.deadlines.size},
        "together": {
            cohort.run.name: pack(count_companions(clicks[cohort.slots, bucket])) for cohort in cohorts
        },
        "hours": {cohort.run.name: pack(usual_hours(cohort.hours, day + 1)) for cohort in cohorts},
    }


def _nudge_fields(outcomes: DayOutcomes) -> dict[str, Any]:
    """The report's fields with sums for the bandit, by campaign and variant."""
    return {"choices": _packed(outcomes.learned), "early": _packed(outcomes.early)}


def _packed(sums: dict[str, Ints]) -> dict[str, PackedArray]:
    return {name: pack(arrays.astype(np.int32)) for name, arrays in sorted(sums.items())}
