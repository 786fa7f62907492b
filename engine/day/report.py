"""A closed day's report: what the trainer is told of one partition's day."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from data_quality.companions import counted
from engine.day.cohorts import Cohort
from engine.day.nudge_outcomes import Known
from engine.state.partition_state import PartitionState
from features.bins import histogram
from features.catalogue import FINGERPRINT
from features.packed_arrays import pack
from features.ring import RING, Ints, usual_hours
from online_models.recommender import Transitions, transitions_by_run
from schemas.learning import DayReport, TrainingExample
from schemas.packed import PackedArray


@dataclass(frozen=True, slots=True)
class DayContents:
    """What a day's close made known in one partition.

    day: the closed epoch day. examples: those whose label has matured. outcomes: of nudge decisions.
    transitions: between items, by run.
    """

    day: int
    cohorts: list[Cohort]
    examples: list[TrainingExample]
    outcomes: Known
    transitions: Transitions


def day_report(state: PartitionState, partition: int, contents: DayContents) -> DayReport:
    """The report of a closed day, as one message; transport cuts what is too large (:mod:`engine.pieces`).

    Takes the day's counts by source and by run out of the state, so it is made once a day. Examples are in
    an order of their own: after a crash a restored state holds them in another one, and a report sent
    before it must be the same as the one sent after it.
    """
    examples = sorted(
        contents.examples, key=lambda example: (example.course_run, example.enrolment, example.day)
    )
    return DayReport.model_construct(  # of our own making; the trainer checks what it is given
        partition=partition,
        day=contents.day,
        part=0,
        parts=1,
        features=FINGERPRINT,
        examples=examples,
        **_cohort_fields(state, contents),
        **_nudge_fields(contents.outcomes),
        leaving={run: pack(counts) for run, counts in state.leaving.pop().items()},
        sources=state.tallies.pop(contents.day),
        transitions=transitions_by_run(contents.transitions),
    )


def _cohort_fields(state: PartitionState, contents: DayContents) -> dict[str, Any]:
    """The report's fields that hold an array a cohort, by the run's name."""
    cohorts, day = contents.cohorts, contents.day
    clicks, place = state.rows["clicks"], day % RING
    return {
        "cohorts": {cohort.run.name: pack(histogram(cohort.codes)) for cohort in cohorts},
        "deadlines": {cohort.run.name: pack(cohort.deadlines) for cohort in cohorts if cohort.deadlines.size},
        "together": {cohort.run.name: pack(counted(clicks[cohort.slots, place])) for cohort in cohorts},
        "hours": {cohort.run.name: pack(usual_hours(cohort.hours, day + 1)) for cohort in cohorts},
    }


def _nudge_fields(outcomes: Known) -> dict[str, Any]:
    """The report's fields that hold sums for the bandit, by campaign and variant."""
    return {"choices": _packed(outcomes.learned), "early": _packed(outcomes.early)}


def _packed(sums: dict[str, Ints]) -> dict[str, PackedArray]:
    return {name: pack(of.astype(np.int32)) for name, of in sorted(sums.items())}
