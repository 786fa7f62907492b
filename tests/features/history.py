"""A slow and obvious reference for every feature: plain dictionaries and the whole history of one enrolment.

It shares no line with the code under test; what it says is what ``features.catalogue`` promises in words.
"""

import math
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from features.catalogue import HALF_LIVES, KIND_GROUPS, WINDOWS
from features.yardsticks import Yardstick

HELD_CLICKS, HELD_SECONDS = 255, 65_535


@dataclass(frozen=True, slots=True)
class Click:
    """One activity event."""

    day: int
    kind: str
    count: int
    seconds: int


@dataclass(frozen=True, slots=True)
class HandIn:
    """A submission; ``score`` in half percents."""

    day: int
    assessment: str
    score: int | None


@dataclass(frozen=True, slots=True)
class Grade:
    """A grade of the newest attempt at the time; ``score`` in half percents."""

    day: int
    assessment: str
    score: int


@dataclass(slots=True)
class History:
    """All that ever happened to one enrolment.

    dates: assessment → its own day from which it has passed, None if excused.
    """

    clicks: list[Click] = field(default_factory=list)
    hand_ins: list[HandIn] = field(default_factory=list)
    enrolled: int | None = None
    progress: int = 0
    grades: list[Grade] = field(default_factory=list)
    dates: dict[str, int | None] = field(default_factory=dict)

    def work_before(self, day: int) -> list[HandIn | Grade]:
        """Hand-ins and grades of days before ``day``, in order; of one day, hand-ins first."""
        events: list[HandIn | Grade] = [*self.hand_ins, *self.grades]
        return sorted(
            (event for event in events if event.day < day),
            key=lambda event: (event.day, isinstance(event, Grade)),
        )


@dataclass(frozen=True, slots=True)
class Calendar:
    """Start and end, and assessment → (day from which it has passed, weight).

    attempts: assessment → which attempt counts, the best by default.
    """

    start: int
    end: int
    due: dict[str, tuple[int, float]]
    attempts: dict[str, str] = field(default_factory=dict)


def reference(
    history: History, calendar: Calendar, day: int, since: int, measure: Yardstick
) -> dict[str, float]:
    """Every feature as of the start of ``day``. ``since``: the day from which days were closed."""
    cells: dict[tuple[int, str], int] = {}
    seconds: dict[int, int] = {}
    for click in history.clicks:
        if click.day < day:
            cells[click.day, click.kind] = min(
                cells.get((click.day, click.kind), 0) + click.count, HELD_CLICKS
            )
            seconds[click.day] = min(seconds.get(click.day, 0) + click.seconds, HELD_SECONDS)
    total: dict[int, int] = {}
    for (when, _), count in cells.items():
        total[when] = total.get(when, 0) + count
    by_name = _activity(cells, total, seconds, day, since)
    by_name |= _lifetime(total, history, calendar, day)
    by_name |= _course(history, calendar, day, measure)
    return by_name


def _activity(
    cells: dict[tuple[int, str], int], total: dict[int, int], seconds: dict[int, int], day: int, since: int
) -> dict[str, float]:
    by_name: dict[str, float] = {}
    for window in WINDOWS:
        by_name[f"clicks_{window}"] = sum(n for when, n in total.items() if when >= day - window)
        by_name[f"active_days_{window}"] = sum(1 for when in total if when >= day - window)
    for window in (7, 28):
        for group, kinds in KIND_GROUPS.items():
            by_name[f"{group}_{window}"] = sum(
                n for (when, kind), n in cells.items() if kind in kinds and when >= day - window
            )
        by_name[f"minutes_{window}"] = sum(n for when, n in seconds.items() if when >= day - window) // 60
    by_name["kinds_28"] = len({kind for when, kind in cells if when >= day - 28})
    for half_life in HALF_LIVES:
        decay = 0.5 ** (1 / half_life)
        by_name[f"ewma_{half_life}"] = sum(
            (1 - decay) * decay ** (day - 1 - when) for when in total if when >= since
        )
    weeks = [sum(1 for when in total if day - 7 * (nth + 1) <= when < day - 7 * nth) for nth in range(4)]
    mean = sum(weeks) / 4
    by_name["spread_28"] = math.sqrt(sum((week - mean) ** 2 for week in weeks) / 4)
    gap = longest = 0
    for when in range(day - 28, day):
        gap = 0 if when in total else gap + 1
        longest = max(longest, gap)
    by_name["gap_28"] = longest
    before = by_name["clicks_28"] - by_name["clicks_7"]
    by_name["trend_7"] = math.log2((by_name["clicks_7"] + 1) / (before / 3 + 1))
    return by_name


def _lifetime(total: dict[int, int], history: History, calendar: Calendar, day: int) -> dict[str, float]:
    began = calendar.start if history.enrolled is None else max(history.enrolled, calendar.start)
    clicks, days = sum(total.values()), len(total)
    last_two_weeks = sum(n for when, n in total.items() if when >= day - 14)
    if total:
        first, last = min(total), max(total)
        silence = day - 1 - last
        usual = (last - first) / (days - 1) if days > 1 else 7.0
        past = max(day - first, 14)
        since = min(began, first)
    else:
        silence, usual, past, since = max(day - began, 0), 7.0, 14, began
    return {
        "silence": silence,
        "silence_own": silence / max(usual, 1.0),
        "clicks_all": clicks,
        "active_days_all": days,
        "active_share": days / max(day - since, 1),
        "trend_own": math.log2((last_two_weeks + 1) / (clicks * 14 / past + 1)),
    }


@dataclass(slots=True)
class _Work:
    """One piece of work of one enrolment. day: of the first hand-in, or of the first grade without one."""

    day: int | None = None
    attempts: int = 0
    grades: dict[int, int] = field(default_factory=dict)


def _work_of(history: History, calendar: Calendar, day: int) -> tuple[dict[str, _Work], str | None]:
    """The work of the calendar by name, and which of it was graded last."""
    works: dict[str, _Work] = {}
    graded_last = None
    for event in history.work_before(day):
        if event.assessment not in calendar.due:
            continue
        work = works.setdefault(event.assessment, _Work())
        if isinstance(event, HandIn):
            work.attempts += 1
            work.day = event.day if work.day is None else work.day
            if event.score is None:
                continue
        elif work.day is None:
            if event.score == 0:
                continue  # how platforms mark missing work
            work.day = event.day
        work.grades[work.attempts] = event.score or 0
        graded_last = event.assessment
    return works, graded_last


def _counted(grades: dict[int, int], rule: str) -> int:
    """The grade that counts of those of the attempts, by number."""
    in_order = [grades[number] for number in sorted(grades)]
    if rule == "mean":
        return math.floor(sum(in_order) / len(in_order) + 0.5)
    return {"best": max(in_order), "last": in_order[-1], "first": in_order[0]}[rule]


def _course(history: History, calendar: Calendar, day: int, measure: Yardstick) -> dict[str, float]:
    works, graded_last = _work_of(history, calendar, day)
    first = {name: work.day for name, work in works.items() if work.day is not None}
    scores = {
        name: _counted(work.grades, calendar.attempts.get(name, "best"))
        for name, work in works.items()
        if work.grades
    }
    weights = {name: weight for name, (_, weight) in calendar.due.items()}
    due = {name: history.dates.get(name, date) for name, (date, _) in calendar.due.items()}
    counts = {
        name
        for name, date in due.items()
        if name in first or (date is not None and (history.enrolled is None or date > history.enrolled))
    }
    passed = {name for name in counts if (date := due[name]) is not None and date <= day}
    missed = passed - set(first)
    margins = {}
    for name, when in first.items():
        date = due[name]
        margins[name] = 0 if date is None or not works[name].attempts else date - 1 - when
    row = 0
    for name in sorted(passed, key=lambda name: calendar.due[name][0]):
        row = 0 if name in first else row + 1
    upcoming = [date - day for name in counts if (date := due[name]) is not None and date > day]
    of = {name: index for index, name in enumerate(calendar.due)}
    miss = {name: float(measure.miss_weight[index]) for name, index in of.items()}

    def above(amount: float, name: str, mean: NDArray[np.float64], spread: NDArray[np.float64]) -> float:
        return max(-4.0, min(4.0, (amount - float(mean[of[name]])) / float(spread[of[name]])))

    high = [above(score / 200, name, measure.mean, measure.spread) for name, score in scores.items()]
    sooner = [above(days, name, measure.early, measure.early_spread) for name, days in margins.items()]
    due_weight = sum(weights[name] for name in passed)
    points = sum(scores.get(name, 0) / 200 * weights[name] for name in passed)
    attainable = sum(weights[name] for name in passed & set(scores))
    attainable += sum(weights[name] * miss[name] for name in missed)
    undecided = {name for name in due if name not in counts or (name in first and name not in scores)}
    whole = 1 - sum(weights[name] for name in undecided)
    lost = sum((1 - score / 200) * weights[name] for name, score in scores.items())
    lost += sum(miss[name] * weights[name] for name in missed)
    return {
        "due": len(passed),
        "missed": len(missed) / max(len(passed), 1),
        "missed_weight": sum(weights[name] for name in missed) / due_weight if due_weight else 0.0,
        "missed_last": row,
        "late": sum(1 for margin in margins.values() if margin < 0) / max(len(margins), 1),
        "early": sum(margins.values()) / max(len(margins), 1),
        "early_above": sum(sooner) / len(sooner) if sooner else 0.0,
        "ahead": sum(1 for name in first if name not in passed),
        "since_submission": day - 1 - max(first.values()) if first else day - calendar.start,
        "score_mean": sum(scores.values()) / (200 * len(scores)) if scores else 0.5,
        "score_last": 0.5 if graded_last is None else scores[graded_last] / 200,
        "score_above": sum(high) / len(high) if high else 0.0,
        "points": points / attainable if attainable > 1e-9 else 0.5,
        "earned": sum(score / 200 * weights[name] for name, score in scores.items()) / whole,
        "reachable": 1 - lost / whole,
        "progress": history.progress / 200,
        "lead": calendar.start - (calendar.start if history.enrolled is None else history.enrolled),
        "next_due": min(upcoming, default=64),
        "phase": (day - calendar.start) / max(calendar.end - calendar.start, 1),
    }
