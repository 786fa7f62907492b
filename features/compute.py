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

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from features.bins import Codes, bins_of
from features.catalogue import FEATURES, HALF_LIVES, KIND_GROUPS, WINDOWS
from features.compute_coursework import Values, Work, coursework_values, empty_work, first_days
from features.coursework import Run
from features.ring import CLOSED_DAYS, DECAYS, NEVER, RING, Ints, Rows
from features.yardsticks import Yardstick, make_yardstick
from schemas.activity import ACTIVITY_KINDS

CHUNK = 4096
"""Enrolments computed at a time, so that arrays fit into the CPU's cache."""


@dataclass(frozen=True, slots=True)
class TrackingGaps:
    """Days of a course run on which a tracker was broken, ascending.

    days: without some kind of activity. work: the subset on which hand-ins may be missing too.
    """

    days: Ints
    work: Ints


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
    paused: Mapping[int, Ints] = MappingProxyType({}),
) -> Codes:
    """Bins of all features, uint8 [features, enrolments], from events of days before ``day``.

    slots: the enrolments, all of ``run``. gaps: days on which the run's tracker was broken. yardstick: of the
    run's cohort; that of a typical course by default. work: of these enrolments, in their order; none by
    default. paused: the days of a learner's own on which nothing was expected of them, ascending, by position
    in ``slots``; they count as unobserved for that learner.
    """
    codes = np.empty((len(FEATURES), len(slots)), np.uint8)
    work = empty_work(rows, slots, run) if work is None else work
    for start in range(0, len(slots), CHUNK):
        part = slice(start, start + CHUNK)
        by_name = values(rows, slots[part], run, day, gaps, yardstick, work.select(part))
        for index, feature in enumerate(FEATURES):
            codes[index, start : start + CHUNK] = bins_of(feature, by_name[feature.name])
    for positions, days in _by_days(paused):
        own_gaps = TrackingGaps(np.union1d(gaps.days, days), gaps.work)
        codes[:, positions] = features(
            rows, slots[positions], run, day, own_gaps, yardstick, work.select(positions)
        )
    return codes


def _by_days(paused: Mapping[int, Ints]) -> list[tuple[Ints, Ints]]:
    """The positions of those who paused on the same days, with the days."""
    groups: dict[bytes, list[int]] = {}
    for position, days in paused.items():
        groups.setdefault(days.tobytes(), []).append(position)
    return [(np.array(group), paused[group[0]]) for group in groups.values()]


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
    by_name |= coursework_values(
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
    began = first_days(enrolments, run, day)
    total_days = enrolments["old_days"] + active.sum(axis=0)
    total_clicks = enrolments["old_clicks"] + by_day.sum(axis=0)
    since = np.where(ever, last + 1, began)
    silence = np.maximum(day - since, 0) - days_between(gap_days, since, day)
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


def days_between(days: Ints, since: NDArray[np.int64], until: int) -> NDArray[np.int64]:
    """How many of ``days``, ascending, are in [since, until), [n] → [n]."""
    between: Ints = np.maximum(np.searchsorted(days, until) - np.searchsorted(days, since), 0)
    return between
