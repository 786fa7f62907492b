"""Every feature of many enrolments at once, as of the start of a day.

The only inputs are the columns of ``ring`` and ``coursework``, the run's calendar and the day. Days that
are still open are ignored, whatever they already hold. All operations are elementwise over enrolments: the
result of one does not depend on which others are computed with it.

**Unobserved days.** When a tracker was broken, silence is not the learner's. For an enrolment without
activity on such a day, windows, gaps and silence skip the day. An enrolment with activity on it has that day
like any other. A deadline that fell due up to a week after a day on which hand-ins may have been lost counts
as missed for no enrolment.

**The cohort's yardstick** (``yardsticks``) is an input like the calendar: it weighs missed deadlines and
scores by what they mean in the cohort.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from features.bins import Codes, bins_of
from features.catalogue import FEATURES, HALF_LIVES, KIND_GROUPS, WINDOWS
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
from features.ring import CLOSED_DAYS, DECAYS, NEVER, RING, Ints, Rows
from features.yardsticks import Yardstick, days_early, make_yardstick
from schemas.activity import ACTIVITY_KINDS

Values = dict[str, NDArray[Any]]

CHUNK = 4096
"""Enrolments computed at a time, so that arrays fit into the CPU's cache."""

MAX_DEVIATIONS = 4.0
"""Standard deviations at which a score is clipped: a single zero should not outweigh everything."""

MAX_DAYS_TO_DUE = 64
"""Days to the next deadline where there is none."""

DEADLINE_WINDOW = 7
"""Days before a deadline within which most of the work is handed in (three quarters, on OULAD)."""


@dataclass(frozen=True, slots=True)
class TrackingGaps:
    """Days of a course run on which a tracker was broken, ascending.

    days: without some kind of activity. work: the subset on which hand-ins may be missing too.
    """

    days: Ints
    work: Ints


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


_NO_DAYS: Ints = np.empty(0, np.int64)
NO_GAPS = TrackingGaps(_NO_DAYS, _NO_DAYS)


def features(
    rows: Rows,
    slots: Ints,
    run: Run,
    day: int,
    gaps: TrackingGaps = NO_GAPS,
    yardstick: Yardstick | None = None,
    work: Work | None = None,
) -> Codes:
    """Bins of all features, uint8 [features, enrolments], from events of days before ``day``.

    slots: the enrolments, all of ``run``. gaps: days on which the run's tracker was broken. yardstick: of the
    run's cohort; that of a typical course by default. work: of these enrolments, in their order; none by
    default.
    """
    codes = np.empty((len(FEATURES), len(slots)), np.uint8)
    work = empty_work(rows, slots, run) if work is None else work
    for start in range(0, len(slots), CHUNK):
        part = slice(start, start + CHUNK)
        by_name = values(rows, slots[part], run, day, gaps, yardstick, work.select(part))
        for index, feature in enumerate(FEATURES):
            codes[index, start : start + CHUNK] = bins_of(feature, by_name[feature.name])
    return codes


def values(
    rows: Rows,
    slots: Ints,
    run: Run,
    day: int,
    gaps: TrackingGaps = NO_GAPS,
    yardstick: Yardstick | None = None,
    work: Work | None = None,
) -> Values:
    """Every feature by name, each [enrolments], in the unit that the catalogue declares."""
    enrolments = rows[slots]
    closed = [(day - back) % RING for back in range(1, CLOSED_DAYS + 1)]
    by_bucket = np.ascontiguousarray(enrolments["clicks"].transpose(1, 2, 0))
    clicks = by_bucket[closed]  # [days back, kinds, enrolments]
    seconds = enrolments["seconds"].T[closed]
    by_day = clicks.sum(axis=1, dtype=np.int32)
    observed = by_day
    recent = gaps.days[(gaps.days >= day - CLOSED_DAYS) & (gaps.days < day)]
    if len(recent):
        order = _observed_first(by_day, day - 1 - recent)
        clicks = np.take_along_axis(clicks, order[:, None], axis=0)
        seconds, observed = (np.take_along_axis(each, order, axis=0) for each in (seconds, by_day))
    by_name: Values = {}
    by_name |= _volume(clicks, observed, seconds)
    by_name |= _rhythm(enrolments, observed)
    by_name |= _lifetime(enrolments, by_day, observed, run, day, gaps.days)
    by_name |= _coursework(
        enrolments,
        run,
        day,
        gaps.work,
        make_yardstick(run) if yardstick is None else yardstick,
        empty_work(rows, slots, run) if work is None else work,
    )
    return by_name


def _observed_first(by_day: NDArray[Any], gaps_back: Ints) -> NDArray[np.int64]:
    """For each enrolment the observed days, as days back, most recent first, [days, enrolments].

    There are fewer than ``CLOSED_DAYS``, so they are repeated to fill the array. gaps_back: unobserved days.
    """
    unobserved = np.zeros(by_day.shape, np.bool_)
    unobserved[gaps_back] = by_day[gaps_back] == 0
    order = np.argsort(unobserved, axis=0, kind="stable")
    count = np.maximum(CLOSED_DAYS - unobserved.sum(axis=0), 1)
    return np.take_along_axis(order, np.arange(CLOSED_DAYS)[:, None] % count, axis=0)


def _volume(clicks: NDArray[Any], by_day: NDArray[Any], seconds: NDArray[Any]) -> Values:
    by_name: Values = {}
    active = by_day > 0
    total_clicks, total_days = by_day.cumsum(axis=0, dtype=np.int64), active.cumsum(axis=0)
    for window in WINDOWS:
        by_name[f"clicks_{window}"] = total_clicks[window - 1]
        by_name[f"active_days_{window}"] = total_days[window - 1]
    for window in (7, 28):
        kinds = clicks[:window].sum(axis=0, dtype=np.int32)
        for group, members in KIND_GROUPS.items():
            by_name[f"{group}_{window}"] = sum(kinds[ACTIVITY_KINDS.index(kind)] for kind in members)
    by_name["kinds_28"] = (kinds > 0).sum(axis=0)
    by_name["minutes_7"] = seconds[:7].sum(axis=0, dtype=np.int64) // 60
    by_name["minutes_28"] = seconds.sum(axis=0, dtype=np.int64) // 60
    return by_name


def _rhythm(enrolments: Rows, by_day: NDArray[Any]) -> Values:
    """Regularity and trend of the activity."""
    active = by_day > 0
    by_name: Values = {}
    decays = np.array(DECAYS)[:, None]
    share = enrolments["old_ewma"].T.astype(np.float64)  # [half-lives, enrolments]
    gains = active[:, None, :] * (1 - decays)
    for gain in gains[::-1]:
        share = share * decays + gain
    by_name |= {f"ewma_{half_life}": row for half_life, row in zip(HALF_LIVES, share, strict=True)}
    weeks = active.reshape(4, 7, -1).sum(axis=1)
    mean = weeks.sum(axis=0) / 4
    by_name["spread_28"] = np.sqrt(((weeks - mean) ** 2).sum(axis=0) / 4)
    by_name["gap_28"] = _longest_gap(active)
    by_name["trend_7"] = _octaves(by_day[:7].sum(axis=0), by_day[7:].sum(axis=0) / 3)
    return by_name


def _longest_gap(active: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Longest run of silent days within [days, enrolments]."""
    days = np.arange(len(active))[:, None]
    last = np.maximum.accumulate(np.where(active, days, -1), axis=0)
    longest: NDArray[np.int64] = (days - last).max(axis=0)
    return longest


def _octaves(now: NDArray[Any], before: NDArray[Any]) -> NDArray[np.float64]:
    """Log2 ratio of activity; one click is added to both so that it is defined for silence."""
    octaves: NDArray[np.float64] = np.log2((now + 1.0) / (before + 1.0))
    return octaves


def _lifetime(
    enrolments: Rows, by_day: NDArray[Any], observed: NDArray[Any], run: Run, day: int, gap_days: Ints
) -> Values:
    """Lifetime totals, and the present silence compared with the past.

    by_day: clicks by days back, [days, enrolments]; observed: the same without unobserved days.
    """
    active = by_day > 0
    last = np.where(active.any(axis=0), day - 1 - active.argmax(axis=0), enrolments["old_last"])
    back_to_first = CLOSED_DAYS - 1 - active[::-1].argmax(axis=0)
    first = np.where(enrolments["old_first"] != NEVER, enrolments["old_first"], day - 1 - back_to_first)
    ever = last != NEVER
    began = _first_day(enrolments, run, day)
    total_days = enrolments["old_days"] + active.sum(axis=0)
    total_clicks = enrolments["old_clicks"] + by_day.sum(axis=0)
    since = np.where(ever, last + 1, began)
    silence = np.maximum(day - since, 0) - _days_between(gap_days, since, day)
    usual = np.where(total_days > 1, (last - first) / np.maximum(total_days - 1, 1), 7.0)
    past = np.maximum(day - np.where(ever, first, day - 1), 1)
    return {
        "silence": silence,
        "silence_own": silence / np.maximum(usual, 1.0),
        "clicks_all": total_clicks,
        "active_days_all": total_days,
        "active_share": total_days / np.maximum(day - np.minimum(began, np.where(ever, first, began)), 1),
        "trend_own": _octaves(observed[:14].sum(axis=0), total_clicks * (14.0 / np.maximum(past, 14))),
    }


def _days_between(days: Ints, since: NDArray[np.int64], until: int) -> NDArray[np.int64]:
    """How many of ``days``, ascending, are in [since, until), [n] → [n]."""
    between: Ints = np.maximum(np.searchsorted(days, until) - np.searchsorted(days, since), 0)
    return between


def _first_day(enrolments: Rows, run: Run, day: int) -> NDArray[np.int64]:
    """The day from which silence counts: the later of the run's start and the registration."""
    enrolled = np.where(
        enrolments["enrolled"] == NEVER, run.start if run.is_known else day, enrolments["enrolled"]
    )
    began: NDArray[np.int64] = np.maximum(enrolled, run.start) if run.is_known else enrolled
    return began.astype(np.int64)


def _coursework(
    enrolments: Rows, run: Run, day: int, gap_days: Ints, yardstick: Yardstick, work: Work
) -> Values:
    """Deadlines passed, missed, early and late; scores; progress of the course run.

    gap_days: days on which hand-ins may have been lost.
    """
    enrolled = np.where(enrolments["enrolled"] == NEVER, run.start, enrolments["enrolled"])
    status = _deadline_status(day, gap_days, work)
    return {
        "progress": enrolments["progress"] / SCORE_STEPS,
        "lead": (run.start - enrolled) if run.is_known else np.zeros(len(enrolments)),
        "phase": np.zeros(len(enrolments)) + ((day - run.start) / run.length if run.has_end else 0.0),
        **_deadlines(run, day, status, work, yardstick),
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
    hand_in_days = work.cells["day"].T.astype(np.int64) + FIRST_DAY
    ahead_days = np.where(handed_in, days_early(work.dates.due, work.cells), 0)
    hand_ins = np.maximum(handed_in.sum(axis=0), 1)
    last = np.where(handed_in, hand_in_days, NEVER).max(axis=0, initial=NEVER)
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
        "since_submission": np.where(
            last == NEVER, day - (run.start if run.is_known else day), day - 1 - last
        ),
        "next_due": np.where(next_due == NO_DATE, MAX_DAYS_TO_DUE, next_due - day).astype(np.float64),
    }


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
