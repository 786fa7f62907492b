"""Turns snapshots into training examples once their outcome is certain, and lets ended runs go."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.day.nudge_outcomes import Following
from engine.state.partition_state import PartitionState
from engine.state.row_layout import EXIT_COUNTED, NOT_ESTIMATED
from engine.state.unobserved_days import last_known
from features.coursework import Run
from features.ring import NEVER, Ints, last_active
from nudges.experiments.training import untreated_weight
from online_models.design import season_of
from online_models.labels import (
    EXIT_DAYS,
    FORGOTTEN_AFTER,
    KEEP,
    LOST,
    NO_EXIT,
    SILENCE_HORIZON,
    WAIT,
    WITHDRAWN,
    example_weight,
    exits,
    verdicts,
)
from schemas.learning import TrainingExample


class Maturing:
    """Holds back every snapshot until ``online_models.labels`` says what became of it."""

    def __init__(self, state: PartitionState, following: Following) -> None:
        self._state = state
        self._following = following

    def take(self, today: int) -> list[TrainingExample]:
        """Examples that are certain at the end of ``today``; each is given once."""
        found: list[TrainingExample] = []
        for index, run in enumerate(self._state.runs):
            if not run.ends:
                self._forget(index, today)
            elif run.end <= today:
                found += self._of_run(index, run, today)
        return found

    def _forget(self, index: int, today: int) -> None:
        """Let enrolments go of which nothing was heard for long, in a run whose end nobody knows."""
        state = self._state
        slots = state.of_run(index)
        heard = [last_active(state.rows, slots, today + 1)]
        heard += [state.rows[name][slots].astype(np.int64) for name in ("enrolled", "outcome_day")]
        state.drop(slots[np.max(heard, axis=0) < today - FORGOTTEN_AFTER])

    def _of_run(self, index: int, run: Run, today: int) -> list[TrainingExample]:
        state = self._state
        slots = state.of_run(index)
        ends = np.full(len(slots), run.end, np.int64)
        last = last_known(state.rows, slots, state.unseen.of(run.name), run.end, today)
        certain = verdicts(state.rows["outcome"][slots], ends, last, today)
        done = slots[certain != WAIT]
        left = exits(
            state.rows["outcome"][slots], state.rows["outcome_day"][slots].astype(np.int64), ends, last
        )
        lost, kept = certain == LOST, certain == KEEP
        gone = (
            lost & (state.rows["probability"][slots] > NOT_ESTIMATED) & (left > run.start) & (left < NO_EXIT)
        )
        withdrawn = state.rows["outcome"][slots] == WITHDRAWN
        state.leaving.ended(run.name, int(gone.sum()), int((gone & withdrawn).sum()))
        state.rows["probability"][slots[gone]] = EXIT_COUNTED  # outcomes stay certain on the days after
        examples = self._examples(slots[lost], left[lost], run, today, lost=True)
        examples += self._examples(slots[kept], np.full(int(kept.sum()), NO_EXIT), run, today, lost=False)
        state.rows["snap_day"][done] = NEVER
        state.touch(done)
        if today > run.end + SILENCE_HORIZON:
            state.drop(slots)
            state.unseen.forget(run.name)
            state.gradebook.forget_run(index, run.name)
            state.measures.forget(run.name)
        return examples

    def _examples(
        self, slots: Ints, left: Ints, run: Run, today: int, *, lost: bool
    ) -> list[TrainingExample]:
        return [
            example
            for slot, exit_day in zip(slots.tolist(), left.tolist(), strict=True)
            for cell in np.flatnonzero(self._state.rows["snap_day"][slot] != NEVER).tolist()
            if (example := self._example(slot, cell, run, today, lost, exit_day)) is not None
        ]

    def _example(
        self, slot: int, cell: int, run: Run, today: int, lost: bool, exit_day: int
    ) -> TrainingExample | None:
        """None where a nudge may have changed the outcome: nobody knows what it would have been."""
        row: NDArray[Any] = self._state.rows[slot]
        untreated = untreated_weight(int(row["snap_day"][cell]), self._following.nudged(slot))
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
            weight=example_weight(int(row["taken"])) * untreated,
            probability=round(float(row["snap_probability"][cell]), 6),
            served=bool(row["snap_served"][cell]),
            codes=row["snap_codes"][cell].tobytes(),
            ranks=row["snap_ranks"][cell].tobytes(),
        )
