"""Every feature of many enrolments at once, as of the start of a day.

The only inputs are the columns of ``ring`` and ``coursework``, the run's calendar and the day; days
that are still open are not looked at, whatever they already hold. Each line is one elementwise pass
over the enrolments: the result for one does not depend on which others are computed with it.

**Unseen days.** When a tracker was broken, silence is not the learner's. For whoever did nothing on
such a day the clock stands still: windows, gaps and silence count the days that were seen. Whoever was
seen to be active on it has that day like any other. A deadline that fell due up to a week after a day on
which hand-ins may have gone unseen counts as missed by nobody.

**The cohort's yardstick** (``yardsticks``) is an input like the calendar: what a missed deadline and a score
mean among those who had the same work.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from features.bins import Codes, code
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
from features.ring import CLOSED, DECAYS, NEVER, RING, Ints, Rows
from features.yardsticks import Yardstick, days_early, yardstick
from schemas.activity import ACTIVITY_KINDS

Values = dict[str, NDArray[Any]]

CHUNK = 4096
"""Enrolments computed at a time, so that the work stays in the processor's cache."""

MOST_ABOVE = 4.0
"""Standard deviations: one nought should not outweigh everything."""

FURTHEST_DUE = 64
"""Days to the next deadline where there is none."""

DOUBTFUL = 7
"""Days before a deadline in which most of the work is handed in (three quarters, on OULAD)."""


@dataclass(frozen=True, slots=True)
class Gaps:
    """Days of a course run on which a tracker was broken, ascending.

    days: of some kind of activity. work: those of them on which hand-ins may have gone unseen too.
    """

    days: Ints
    work: Ints


@dataclass(frozen=True, slots=True)
class Work:
    """What enrolments of a run handed in, [n, deadlines], and by when it was due of each."""

    cells: Cells
    dates: Dates

    def of(self, places: Ints | slice) -> "Work":
        """That of some of the enrolments."""
        return Work(self.cells[places], self.dates.of(places))


def no_work(rows: Rows, slots: Ints, run: Run) -> Work:
    """That of enrolments of which nothing but the registration is known."""
    return Work(empty_cells(len(slots), len(run.assessments)), dates_of(run, rows["enrolled"][slots]))


_NONE: Ints = np.empty(0, np.int64)
ALL_SEEN = Gaps(_NONE, _NONE)


def features(
    rows: Rows,
    slots: Ints,
    run: Run,
    day: int,
    unseen: Gaps = ALL_SEEN,
    measure: Yardstick | None = None,
    work: Work | None = None,
) -> Codes:
    """Bins of all features, uint8 [features, enrolments], from events of days before ``day``.

    slots: the enrolments, all of ``run``. measure: of the run's cohort; as in most courses where nobody
    knows it. work: of these enrolments, in their order; none where nobody knows of any.
    """
    codes = np.empty((len(FEATURES), len(slots)), np.uint8)
    work = no_work(rows, slots, run) if work is None else work
    for start in range(0, len(slots), CHUNK):
        part = slice(start, start + CHUNK)
        found = values(rows, slots[part], run, day, unseen, measure, work.of(part))
        for place, feature in enumerate(FEATURES):
            codes[place, start : start + CHUNK] = code(feature, found[feature.name])
    return codes


def values(
    rows: Rows,
    slots: Ints,
    run: Run,
    day: int,
    unseen: Gaps = ALL_SEEN,
    measure: Yardstick | None = None,
    work: Work | None = None,
) -> Values:
    """Every feature by name, each [enrolments], in the unit that the catalogue declares."""
    taken = rows[slots]
    closed = [(day - back) % RING for back in range(1, CLOSED + 1)]
    clicks = np.ascontiguousarray(taken["clicks"].transpose(1, 2, 0))[
        closed
    ]  # [days back, kinds, enrolments]
    seconds = taken["seconds"].T[closed]
    by_day = clicks.sum(axis=1, dtype=np.int32)
    seen = by_day
    recent = unseen.days[(unseen.days >= day - CLOSED) & (unseen.days < day)]
    if len(recent):
        order = _seen_first(by_day, day - 1 - recent)
        clicks = np.take_along_axis(clicks, order[:, None], axis=0)
        seconds, seen = (np.take_along_axis(each, order, axis=0) for each in (seconds, by_day))
    found: Values = {}
    found |= _volume(clicks, seen, seconds)
    found |= _rhythm(taken, seen)
    found |= _lifetime(taken, by_day, seen, run, day, unseen.days)
    measure = yardstick(run) if measure is None else measure
    found |= _coursework(
        taken, run, day, unseen.work, measure, no_work(rows, slots, run) if work is None else work
    )
    return found


def _seen_first(by_day: NDArray[Any], unseen: Ints) -> NDArray[np.int64]:
    """The days back of which each enrolment was seen, in order, [days, enrolments].

    They are fewer than there are days: the rest is the same days again, as the nearest to what was not seen.
    """
    standing = np.zeros(by_day.shape, np.bool_)
    standing[unseen] = by_day[unseen] == 0
    order = np.argsort(standing, axis=0, kind="stable")
    count = np.maximum(CLOSED - standing.sum(axis=0), 1)
    return np.take_along_axis(order, np.arange(CLOSED)[:, None] % count, axis=0)


def _volume(clicks: NDArray[Any], by_day: NDArray[Any], seconds: NDArray[Any]) -> Values:
    found: Values = {}
    active = by_day > 0
    total_clicks, total_days = by_day.cumsum(axis=0, dtype=np.int64), active.cumsum(axis=0)
    for window in WINDOWS:
        found[f"clicks_{window}"] = total_clicks[window - 1]
        found[f"active_days_{window}"] = total_days[window - 1]
    for window in (7, 28):
        kinds = clicks[:window].sum(axis=0, dtype=np.int32)
        for group, members in KIND_GROUPS.items():
            found[f"{group}_{window}"] = sum(kinds[ACTIVITY_KINDS.index(kind)] for kind in members)
    found["kinds_28"] = (kinds > 0).sum(axis=0)
    found["minutes_7"] = seconds[:7].sum(axis=0, dtype=np.int64) // 60
    found["minutes_28"] = seconds.sum(axis=0, dtype=np.int64) // 60
    return found


def _rhythm(taken: Rows, by_day: NDArray[Any]) -> Values:
    """How steady the activity is, and how it changes."""
    active = by_day > 0
    found: Values = {}
    decays = np.array(DECAYS)[:, None]
    share = taken["old_ewma"].T.astype(np.float64)  # [half-lives, enrolments]
    gains = active[:, None, :] * (1 - decays)
    for gain in gains[::-1]:
        share = share * decays + gain
    found |= {f"ewma_{half_life}": row for half_life, row in zip(HALF_LIVES, share, strict=True)}
    weeks = active.reshape(4, 7, -1).sum(axis=1)
    mean = weeks.sum(axis=0) / 4
    found["spread_28"] = np.sqrt(((weeks - mean) ** 2).sum(axis=0) / 4)
    found["gap_28"] = _longest_gap(active)
    found["trend_7"] = _octaves(by_day[:7].sum(axis=0), by_day[7:].sum(axis=0) / 3)
    return found


def _longest_gap(active: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Longest run of silent days within [days, enrolments]."""
    days = np.arange(len(active))[:, None]
    last = np.maximum.accumulate(np.where(active, days, -1), axis=0)
    longest: NDArray[np.int64] = (days - last).max(axis=0)
    return longest


def _octaves(now: NDArray[Any], before: NDArray[Any]) -> NDArray[np.float64]:
    """How often the activity doubled; a click is added to both so that silence has a place."""
    octaves: NDArray[np.float64] = np.log2((now + 1.0) / (before + 1.0))
    return octaves


def _lifetime(
    taken: Rows, by_day: NDArray[Any], seen: NDArray[Any], run: Run, day: int, unseen: Ints
) -> Values:
    """What the whole past says, and how the present silence compares with it.

    by_day: clicks by days back, [days, enrolments]; seen: the same of the days that count.
    """
    active = by_day > 0
    last = np.where(active.any(axis=0), day - 1 - active.argmax(axis=0), taken["old_last"])
    back_to_first = CLOSED - 1 - active[::-1].argmax(axis=0)
    first = np.where(taken["old_first"] != NEVER, taken["old_first"], day - 1 - back_to_first)
    ever = last != NEVER
    began = _began(taken, run, day)
    total_days = taken["old_days"] + active.sum(axis=0)
    total_clicks = taken["old_clicks"] + by_day.sum(axis=0)
    since = np.where(ever, last + 1, began)
    silence = np.maximum(day - since, 0) - _days_between(unseen, since, day)
    usual = np.where(total_days > 1, (last - first) / np.maximum(total_days - 1, 1), 7.0)
    past = np.maximum(day - np.where(ever, first, day - 1), 1)
    return {
        "silence": silence,
        "silence_own": silence / np.maximum(usual, 1.0),
        "clicks_all": total_clicks,
        "active_days_all": total_days,
        "active_share": total_days / np.maximum(day - np.minimum(began, np.where(ever, first, began)), 1),
        "trend_own": _octaves(seen[:14].sum(axis=0), total_clicks * (14.0 / np.maximum(past, 14))),
    }


def _days_between(days: Ints, since: NDArray[np.int64], until: int) -> NDArray[np.int64]:
    """How many of ``days``, ascending, lie in [since, until), [n] → [n]."""
    between: Ints = np.maximum(np.searchsorted(days, until) - np.searchsorted(days, since), 0)
    return between


def _began(taken: Rows, run: Run, day: int) -> NDArray[np.int64]:
    """The day from which silence counts: the run's start, or the registration where that came later."""
    enrolled = np.where(taken["enrolled"] == NEVER, run.start if run.known else day, taken["enrolled"])
    began: NDArray[np.int64] = np.maximum(enrolled, run.start) if run.known else enrolled
    return began.astype(np.int64)


def _coursework(taken: Rows, run: Run, day: int, unseen: Ints, measure: Yardstick, work: Work) -> Values:
    """Deadlines passed, missed, early and late; scores; where the course run stands.

    unseen: days on which hand-ins may have gone unseen.
    """
    enrolled = np.where(taken["enrolled"] == NEVER, run.start, taken["enrolled"])
    standing = _standing(day, unseen, work)
    return {
        "progress": taken["progress"] / SCORE_STEPS,
        "lead": (run.start - enrolled) if run.known else np.zeros(len(taken)),
        "phase": np.zeros(len(taken)) + ((day - run.start) / run.length if run.ends else 0.0),
        **_deadlines(run, day, standing, work, measure),
        **_scores(run, standing, work.cells, measure),
    }


@dataclass(frozen=True, slots=True)
class _Standing:
    """How enrolments stand with each piece of work, bool [deadlines, n]: whether it is handed in, whether it
    counts for them (it was asked of them, or they handed it in), whether its date has passed, whether they
    missed it."""

    handed_in: NDArray[np.bool_]
    counts: NDArray[np.bool_]
    passed: NDArray[np.bool_]
    missed: NDArray[np.bool_]


def _standing(day: int, unseen: Ints, work: Work) -> _Standing:
    handed_in = (work.cells["day"] != NO_DAY).T
    due = work.dates.due
    counts = work.dates.asked | handed_in
    passed = (due <= day) & counts
    doubtful = np.searchsorted(unseen, due) > np.searchsorted(unseen, due - DOUBTFUL)
    return _Standing(handed_in, counts, passed, passed & ~handed_in & ~doubtful)


def _deadlines(run: Run, day: int, standing: _Standing, work: Work, measure: Yardstick) -> Values:
    """Deadlines passed and missed, how early work came, [n] each."""
    handed_in, passed, missed = standing.handed_in, standing.passed, standing.missed
    due, weights = passed.sum(axis=0), run.weights[:, None]
    on = work.cells["day"].T.astype(np.int64) + FIRST_DAY
    ahead_days = np.where(handed_in, days_early(work.dates.due, work.cells), 0)
    handed = np.maximum(handed_in.sum(axis=0), 1)
    last = np.where(handed_in, on, NEVER).max(axis=0, initial=NEVER)
    upcoming = (work.dates.due > day) & standing.counts
    next_due = np.where(upcoming, work.dates.due, NO_DATE).min(axis=0, initial=NO_DATE)
    return {
        "due": due,
        "missed": missed.sum(axis=0) / np.maximum(due, 1),
        "missed_weight": _summed(missed * weights) / np.maximum(_summed(passed * weights), 1e-9),
        "missed_last": _missed_in_a_row(passed, missed, run.due),
        "late": (handed_in & (ahead_days < 0)).sum(axis=0) / handed,
        "early": ahead_days.sum(axis=0) / handed,
        "early_above": _summed(_above(ahead_days, measure.early, measure.early_spread) * handed_in) / handed,
        "ahead": (handed_in & ~passed).sum(axis=0),
        "since_submission": np.where(last == NEVER, day - (run.start if run.known else day), day - 1 - last),
        "next_due": np.where(next_due == NO_DATE, FURTHEST_DUE, next_due - day).astype(np.float64),
    }


def _missed_in_a_row(passed: NDArray[np.bool_], missed: NDArray[np.bool_], due: Ints) -> NDArray[np.int64]:
    """Deadlines missed one after another up to now. due: everybody's, which is their order."""
    streak = np.zeros(missed.shape[1], np.int64)
    for place in np.argsort(due, kind="stable"):
        streak = np.where(passed[place], (streak + 1) * missed[place], streak)
    return streak


def _scores(run: Run, standing: _Standing, cells: Cells, measure: Yardstick) -> Values:
    """Scores as they are, against the cohort's, and as shares of the grade, [n] each.

    Work that waits for its grade counts for nothing until it has one.
    """
    raw = counted_scores(cells, run.attempts).T
    scored = raw != NO_SCORE
    steps = np.where(scored, raw, 0)
    shares = steps / SCORE_STEPS
    number = scored.sum(axis=0)
    order = cells["order"].T
    newest = np.take_along_axis(shares, order.argmax(axis=0)[None], axis=0)[0] if len(raw) else number
    return {
        "score_mean": np.where(number > 0, steps.sum(axis=0) / (np.maximum(number, 1) * SCORE_STEPS), 0.5),
        "score_last": np.where(order.any(axis=0), newest, 0.5),
        "score_above": _summed(_above(shares, measure.mean, measure.spread) * scored) / np.maximum(number, 1),
        "points": _points(run, standing, scored, shares, measure),
        **_of_the_grade(run, standing, scored, shares, measure),
    }


def _points(
    run: Run,
    standing: _Standing,
    scored: NDArray[np.bool_],
    shares: NDArray[np.float64],
    measure: Yardstick,
) -> NDArray[np.float64]:
    """Points earned of those that were due; all work weighs the same while nothing graded was due."""
    passed, weights = standing.passed, np.broadcast_to(run.weights[:, None], scored.shape)
    weights = np.where((passed & (weights > 0)).any(axis=0), weights, 1.0)
    of = _summed(((passed & scored) + standing.missed * measure.says[:, None]) * weights)
    earned = _summed(passed * shares * weights)
    return np.where(of > 1e-9, earned / np.maximum(of, 1e-9), 0.5)


def _of_the_grade(
    run: Run,
    standing: _Standing,
    scored: NDArray[np.bool_],
    shares: NDArray[np.float64],
    measure: Yardstick,
) -> Values:
    """What of the whole grade is earned, and what can still be; ungraded work weighs the same each.

    The whole is what counts for the learner, without what waits for its grade.
    """
    weights = run.weights if run.weights.any() else np.full(len(run.weights), 1 / max(len(run.weights), 1))
    lost = scored * (1.0 - shares) + standing.missed * measure.says[:, None]
    open_ = ~standing.counts | (standing.handed_in & ~scored)
    whole = np.maximum(1.0 - _summed(open_ * weights[:, None]), 1e-9)
    return {
        "earned": _summed(shares * weights[:, None]) / whole,
        "reachable": 1.0 - _summed(lost * weights[:, None]) / whole,
    }


def _above(
    found: NDArray[Any], mean: NDArray[np.float64], spread: NDArray[np.float64]
) -> NDArray[np.float64]:
    """How many deviations above the cohort's mean, [deadlines, n]."""
    above: NDArray[np.float64] = (found - mean[:, None]) / spread[:, None]
    return np.clip(above, -MOST_ABOVE, MOST_ABOVE)


def _summed(cells: NDArray[np.float64]) -> NDArray[np.float64]:
    """[deadlines, n] → [n], deadline by deadline: the same whoever else is there."""
    total = np.zeros(cells.shape[1])
    for row in cells:
        total = total + row
    return total
