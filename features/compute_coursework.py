"""The features of enrolments' work as of the start of a day: deadlines, scores, the way through the run.

:mod:`features.compute` calls it; see there for what all features share.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from features.coursework import (
    FIRST_DAY,
    NO_DAY,
    NO_SCORE,
    SCORE_STEPS,
    Cells,
    Run,
    counted_scores,
    empty_cells,
)
from features.dates import NO_DATE, Dates, dates_of
from features.ring import NEVER, Ints, Rows
from features.yardsticks import Yardstick, days_early

Values = dict[str, NDArray[Any]]
"""By the feature's name, [enrolments]."""

MAX_DEVIATIONS = 4.0
"""Standard deviations at which a score is clipped: a single zero should not outweigh everything."""

MAX_DAYS_TO_DUE = 64
"""Days to the next deadline where there is none."""

NO_PHASE = -0.25
"""``phase`` of a run without an end: the lowest value of its scale, which no other run has. So the model
knows the two kinds of runs apart."""

DEADLINE_WINDOW = 7
"""Days before a deadline within which most of the work is handed in (three quarters, on OULAD)."""


@dataclass(frozen=True, slots=True)
class Work:
    """The work of enrolments of a run.

    cells: hand-ins and grades, [n, deadlines]. dates: when it is due for each of them.
    """

    cells: Cells
    dates: Dates

    def select(self, indices: Ints | slice) -> "Work":
        """The work of some of the enrolments."""
        return Work(self.cells[indices], self.dates.select(indices))


def empty_work(rows: Rows, slots: Ints, run: Run) -> Work:
    """The work of enrolments that handed nothing in and have no dates of their own."""
    return Work(empty_cells(len(slots), len(run.assessments)), dates_of(run, rows["enrolled"][slots]))


def first_days(enrolments: Rows, run: Run, day: int) -> Ints:
    """The day from which an enrolment's silence counts: the later of registration and run's start, [n]."""
    unregistered = run.start if run.has_end else day
    enrolled = np.where(enrolments["enrolled"] == NEVER, unregistered, enrolments["enrolled"])
    began: Ints = np.maximum(enrolled, run.start) if run.is_known else enrolled
    return began.astype(np.int64)


def coursework_values(
    enrolments: Rows, run: Run, day: int, gap_days: Ints, yardstick: Yardstick, work: Work
) -> Values:
    """Deadlines passed, missed, early and late; scores; progress of the course run.

    In a run without an end there is no ``phase``, and nobody registers ahead of a common start: ``lead`` is
    0.
    gap_days: days on which hand-ins may have been lost.
    """
    enrolled = np.where(enrolments["enrolled"] == NEVER, run.start, enrolments["enrolled"])
    status = _deadline_status(day, gap_days, work)
    return {
        "progress": enrolments["progress"] / SCORE_STEPS,
        "lead": (run.start - enrolled) if run.has_end else np.zeros(len(enrolments)),
        "phase": np.zeros(len(enrolments)) + ((day - run.start) / run.length if run.has_end else NO_PHASE),
        **_deadlines(run, day, status, work, yardstick),
        "since_submission": _since_submission(enrolments, run, day, work.cells),
        **_scores(run, status, work.cells, yardstick),
    }


@dataclass(frozen=True, slots=True)
class _DeadlineStatus:
    """Where enrolments are with each piece of work, bool [deadlines, n] each.

    counts: it is required of them, or they handed it in. passed: it counts and its deadline has passed.
    """

    handed_in: NDArray[np.bool_]
    counts: NDArray[np.bool_]
    passed: NDArray[np.bool_]
    missed: NDArray[np.bool_]


def _deadline_status(day: int, gap_days: Ints, work: Work) -> _DeadlineStatus:
    handed_in = (work.cells["day"] != NO_DAY).T
    due = work.dates.due
    counts = work.dates.required | handed_in
    passed = (due <= day) & counts
    doubtful = np.searchsorted(gap_days, due) > np.searchsorted(gap_days, due - DEADLINE_WINDOW)
    return _DeadlineStatus(handed_in, counts, passed, passed & ~handed_in & ~doubtful)


def _deadlines(run: Run, day: int, status: _DeadlineStatus, work: Work, yardstick: Yardstick) -> Values:
    """Deadlines passed and missed, and how early work was handed in, [n] each."""
    handed_in, passed, missed = status.handed_in, status.passed, status.missed
    due, weights = passed.sum(axis=0), run.weights[:, None]
    ahead_days = np.where(handed_in, days_early(work.dates.due, work.cells), 0)
    hand_ins = np.maximum(handed_in.sum(axis=0), 1)
    upcoming = (work.dates.due > day) & status.counts
    next_due = np.where(upcoming, work.dates.due, NO_DATE).min(axis=0, initial=NO_DATE)
    early_above = _deviations_above(ahead_days, yardstick.early, yardstick.early_spread)
    return {
        "due": due,
        "missed": missed.sum(axis=0) / np.maximum(due, 1),
        "missed_weight": _sum_deadlines(missed * weights)
        / np.maximum(_sum_deadlines(passed * weights), 1e-9),
        "missed_last": _missed_in_a_row(passed, missed, run.due),
        "late": (handed_in & (ahead_days < 0)).sum(axis=0) / hand_ins,
        "early": ahead_days.sum(axis=0) / hand_ins,
        "early_above": _sum_deadlines(early_above * handed_in) / hand_ins,
        "ahead": (handed_in & ~passed).sum(axis=0),
        "next_due": np.where(next_due == NO_DATE, MAX_DAYS_TO_DUE, next_due - day).astype(np.float64),
    }


def _since_submission(enrolments: Rows, run: Run, day: int, cells: Cells) -> Ints:
    """Days since something was handed in, or since the run's start, in an open run the learner's own, [n]."""
    hand_in_days = cells["day"].astype(np.int64) + FIRST_DAY
    last = np.where(cells["day"] != NO_DAY, hand_in_days, NEVER).max(axis=1, initial=NEVER)
    start = run.start if run.has_end else first_days(enrolments, run, day)
    return np.where(last == NEVER, day - start, day - 1 - last)


def _missed_in_a_row(passed: NDArray[np.bool_], missed: NDArray[np.bool_], due: Ints) -> NDArray[np.int64]:
    """Number of the most recent deadlines that were missed without a break. due: sets the order."""
    streak = np.zeros(missed.shape[1], np.int64)
    for index in np.argsort(due, kind="stable"):
        streak = np.where(passed[index], (streak + 1) * missed[index], streak)
    return streak


def _scores(run: Run, status: _DeadlineStatus, cells: Cells, yardstick: Yardstick) -> Values:
    """Scores: raw, relative to the cohort, and as shares of the grade, [n] each.

    Work that waits for its grade is left out until it has one.
    """
    raw = counted_scores(cells, run.attempts).T
    scored = raw != NO_SCORE
    steps = np.where(scored, raw, 0)
    shares = steps / SCORE_STEPS
    number = scored.sum(axis=0)
    order = cells["order"].T
    newest = np.take_along_axis(shares, order.argmax(axis=0)[None], axis=0)[0] if len(raw) else number
    scores_above = _deviations_above(shares, yardstick.mean, yardstick.spread)
    return {
        "score_mean": np.where(number > 0, steps.sum(axis=0) / (np.maximum(number, 1) * SCORE_STEPS), 0.5),
        "score_last": np.where(order.any(axis=0), newest, 0.5),
        "score_above": _sum_deadlines(scores_above * scored) / np.maximum(number, 1),
        "points": _points(run, status, scored, shares, yardstick),
        **_grade_shares(run, status, scored, shares, yardstick),
    }


def _points(
    run: Run,
    status: _DeadlineStatus,
    scored: NDArray[np.bool_],
    shares: NDArray[np.float64],
    yardstick: Yardstick,
) -> NDArray[np.float64]:
    """Share of the points due that was earned; weights are equal while nothing graded was due."""
    passed, weights = status.passed, np.broadcast_to(run.weights[:, None], scored.shape)
    weights = np.where((passed & (weights > 0)).any(axis=0), weights, 1.0)
    attainable = _sum_deadlines(
        ((passed & scored) + status.missed * yardstick.miss_weight[:, None]) * weights
    )
    earned = _sum_deadlines(passed * shares * weights)
    return np.where(attainable > 1e-9, earned / np.maximum(attainable, 1e-9), 0.5)


def _grade_shares(
    run: Run,
    status: _DeadlineStatus,
    scored: NDArray[np.bool_],
    shares: NDArray[np.float64],
    yardstick: Yardstick,
) -> Values:
    """Shares of the whole grade earned and still reachable; weights are equal if nothing is graded.

    The whole is what counts for the learner, without work that waits for its grade.
    """
    weights = run.weights if run.weights.any() else np.full(len(run.weights), 1 / max(len(run.weights), 1))
    lost = scored * (1.0 - shares) + status.missed * yardstick.miss_weight[:, None]
    undecided = ~status.counts | (status.handed_in & ~scored)
    whole = np.maximum(1.0 - _sum_deadlines(undecided * weights[:, None]), 1e-9)
    return {
        "earned": _sum_deadlines(shares * weights[:, None]) / whole,
        "reachable": 1.0 - _sum_deadlines(lost * weights[:, None]) / whole,
    }


def _deviations_above(
    amounts: NDArray[Any], mean: NDArray[np.float64], spread: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Standard deviations above the cohort's mean, clipped, [deadlines, n]."""
    above: NDArray[np.float64] = (amounts - mean[:, None]) / spread[:, None]
    return np.clip(above, -MAX_DEVIATIONS, MAX_DEVIATIONS)


def _sum_deadlines(cells: NDArray[np.float64]) -> NDArray[np.float64]:
    """[deadlines, n] → [n], in a fixed order, so that rounding does not depend on n."""
    total = np.zeros(cells.shape[1])
    for row in cells:
        total = total + row
    return total
