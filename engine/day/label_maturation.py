"""Turns snapshots into training examples once their label is certain, and removes ended runs."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.day.nudge_outcomes import ExposureFollowUp
from engine.day.pauses import last_active_adjusted, unobserved_between
from engine.state.partition_state import PartitionState
from engine.state.row_layout import in_cohort
from features.coursework import Run
from features.ring import NEVER, Ints, last_active, last_active_before
from nudges.experiments.training import untreated_weight
from online_models.design import season_of
from online_models.labels import (
    EXIT_DAYS,
    FORGOTTEN_AFTER,
    LOST,
    NO_EXIT,
    PASSED,
    PENDING,
    RETAINED,
    SILENCE_HORIZON,
    SNAPSHOT_INTERVAL_DAYS,
    WITHDRAWN,
    example_weight,
    exit_days,
    horizon_statuses,
    label_statuses,
    snapshot_interval,
)
from schemas.learning import TrainingExample


class LabelMaturation:
    """Holds every snapshot until its label has matured (:mod:`online_models.labels`)."""

    def __init__(self, state: PartitionState, follow_up: ExposureFollowUp) -> None:
        self._state = state
        self._follow_up = follow_up

    def collect_examples(self, today: int) -> list[TrainingExample]:
        """The examples whose label is certain at the end of ``today``; each is returned once."""
        examples: list[TrainingExample] = []
        for index, run in enumerate(self._state.runs):
            if not run.has_end:
                examples += self._mature_open_run(index, run, today)
                self._drop_inactive(index, today)
            elif run.end <= today:
                examples += self._mature_run(index, run, today)
        return examples

    def _drop_inactive(self, index: int, today: int) -> None:
        """Remove enrolments without recent events from a run whose end is unknown."""
        state = self._state
        slots = state.slots_of_run(index)
        last_days = [last_active(state.rows, slots, today + 1)]
        last_days += [state.rows[name][slots].astype(np.int64) for name in ("enrolled", "outcome_day")]
        state.drop(slots[np.max(last_days, axis=0) < today - FORGOTTEN_AFTER])

    def _mature_open_run(self, index: int, run: Run, today: int) -> list[TrainingExample]:
        """The examples of a run without an end whose horizon ended ``EXIT_DAYS`` ago.

        Snapshots that have waited longer, because of a calendar with a shorter horizon, are no examples: how
        their days ended is not known any more.
        """
        state = self._state
        slots = state.slots_of_run(index)
        slots = slots[(state.rows["snap_day"][slots] != NEVER).any(axis=1)]
        until = today + 1 - EXIT_DAYS
        pairs, cells = np.nonzero(state.rows["snap_day"][slots] != NEVER)
        taken = state.rows["snap_day"][slots[pairs], cells].astype(np.int64)
        observed = until - taken - unobserved_between(state, run, slots[pairs], taken, until)
        over, ripe = observed >= run.inactive_after, observed == run.inactive_after
        examples = self._horizon_examples(slots[pairs[ripe]], cells[ripe], run, today)
        state.rows["snap_day"][slots[pairs[over]], cells[over]] = NEVER
        state.mark_changed(slots[pairs[over]])
        return examples

    def _horizon_examples(self, slots: Ints, cells: Ints, run: Run, today: int) -> list[TrainingExample]:
        """The examples of snapshots, [n], each given by its slot and its cell there."""
        rows, until = self._state.rows, today + 1 - EXIT_DAYS
        outcomes, happened = rows["outcome"][slots], rows["outcome_day"][slots].astype(np.int64)
        taken = rows["snap_day"][slots, cells].astype(np.int64)
        in_horizon = last_active_before(rows, slots, until, today + 1)
        lost = horizon_statuses(outcomes, happened, taken, until, in_horizon) == LOST
        silent_since = last_active_adjusted(self._state, run, slots, today + 1, today) + 1
        left = np.where(outcomes == WITHDRAWN, happened, np.where(outcomes == PASSED, NO_EXIT, silent_since))
        weight = snapshot_interval(run.inactive_after) / SNAPSHOT_INTERVAL_DAYS
        columns = (slots.tolist(), cells.tolist(), lost.tolist(), left.tolist())
        return [
            example
            for slot, cell, is_lost, exit_day in zip(*columns, strict=True)
            if (example := self._example(slot, cell, run, today, is_lost, exit_day, weight)) is not None
        ]

    def _mature_run(self, index: int, run: Run, today: int) -> list[TrainingExample]:
        state = self._state
        slots = state.slots_of_run(index)
        ends = np.full(len(slots), run.end, np.int64)
        last = last_active_adjusted(state, run, slots, run.end, today)
        certain = label_statuses(state.rows["outcome"][slots], ends, last, today)
        done = slots[certain != PENDING]
        left = exit_days(
            state.rows["outcome"][slots], state.rows["outcome_day"][slots].astype(np.int64), ends, last
        )
        lost, stayed = certain == LOST, certain == RETAINED
        counted_exits = lost & in_cohort(state.rows, slots) & (left > run.start) & (left < NO_EXIT)
        withdrawn = state.rows["outcome"][slots] == WITHDRAWN
        state.withdrawal_counts.count_exits(
            run.name, int(counted_exits.sum()), int((counted_exits & withdrawn).sum())
        )
        # Outcomes are certain on the following days too; this keeps exits from being counted again.
        state.rows["exit_counted"][slots[counted_exits]] = 1
        examples = self._examples(slots[lost], left[lost], run, today, lost=True)
        examples += self._examples(slots[stayed], np.full(int(stayed.sum()), NO_EXIT), run, today, lost=False)
        state.rows["snap_day"][done] = NEVER
        state.mark_changed(done)
        if today > run.end + SILENCE_HORIZON:
            state.drop(slots)
            state.unobserved_days.forget(run.name)
            state.gradebook.forget_run(index, run.name)
            state.yardsticks.forget(run.name)
        return examples

    def _examples(
        self, slots: Ints, left: Ints, run: Run, today: int, *, lost: bool
    ) -> list[TrainingExample]:
        return [
            example
            for slot, exit_day in zip(slots.tolist(), left.tolist(), strict=True)
            for cell in np.flatnonzero(self._state.rows["snap_day"][slot] != NEVER).tolist()
            if (example := self._example(slot, cell, run, today, lost, exit_day, self._weight(slot)))
            is not None
        ]

    def _weight(self, slot: int) -> float:
        return example_weight(int(self._state.rows["offered"][slot]))

    def _example(
        self, slot: int, cell: int, run: Run, today: int, lost: bool, exit_day: int, weight: float
    ) -> TrainingExample | None:
        """The example of a snapshot; None if a nudge may have changed its outcome."""
        row: NDArray[Any] = self._state.rows[slot]
        untreated = untreated_weight(int(row["snap_day"][cell]), self._follow_up.treatment_of(slot))
        if not untreated:
            return None
        return TrainingExample.model_construct(
            enrolment=self._state.pseudonyms[slot][1],
            course_run=run.name,
            season=season_of(run.start),
            day=int(row["snap_day"][cell]),
            matured=today,
            label=lost,
            exits=0 <= exit_day - int(row["snap_day"][cell]) < EXIT_DAYS,
            weight=weight * untreated,
            probability=round(float(row["snap_probability"][cell]), 6),
            served=bool(row["snap_served"][cell]),
            codes=row["snap_codes"][cell].tobytes(),
            ranks=row["snap_ranks"][cell].tobytes(),
        )
