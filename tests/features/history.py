"""A slow and obvious reference for every feature: plain dictionaries and the whole history of one enrolment.

It shares no line with the code under test; what it says is what ``features.catalogue`` promises in words.
"""

import math
from dataclasses import dataclass, field

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


@dataclass(slots=True)
class History:
    """All that ever happened to one enrolment."""

    clicks: list[Click] = field(default_factory=list)
    hand_ins: list[HandIn] = field(default_factory=list)
    enrolled: int | None = None
    progress: int = 0


@dataclass(frozen=True, slots=True)
class Calendar:
    """Start and end, and assessment → (day from which it has passed, weight)."""

    start: int
    end: int
    due: dict[str, tuple[int, float]]


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


def _course(history: History, calendar: Calendar, day: int, measure: Yardstick) -> dict[str, float]:
    first: dict[str, int] = {}
    scores: dict[str, int] = {}
    newest = None
    for hand_in in sorted(history.hand_ins, key=lambda hand_in: hand_in.day):
        if hand_in.day < day and hand_in.assessment in calendar.due:
            first.setdefault(hand_in.assessment, hand_in.day)
            if hand_in.score is not None:
                scores[hand_in.assessment] = newest = hand_in.score
    passed = {name: weight for name, (due, weight) in calendar.due.items() if due <= day}
    missed = [name for name in passed if name not in first]
    margins = [calendar.due[name][0] - 1 - when for name, when in first.items()]
    row = 0
    for name in sorted(passed, key=lambda name: calendar.due[name][0]):
        row = 0 if name in first else row + 1
    upcoming = [due - day for due, _ in calendar.due.values() if due > day]
    weight = sum(passed.values())
    miss_weights = dict(zip(calendar.due, measure.miss_weight.tolist(), strict=True))
    usual = {
        name: (float(measure.mean[index]), float(measure.spread[index]))
        for index, name in enumerate(calendar.due)
    }
    usually = {
        name: (float(measure.early[index]), float(measure.early_spread[index]))
        for index, name in enumerate(calendar.due)
    }
    above = [
        max(-4.0, min(4.0, (score / 200 - usual[name][0]) / usual[name][1])) for name, score in scores.items()
    ]
    sooner = [
        max(-4.0, min(4.0, (calendar.due[name][0] - 1 - when - usually[name][0]) / usually[name][1]))
        for name, when in first.items()
    ]
    points = sum(scores.get(name, 0) / 200 * weight for name, weight in passed.items())
    counts = sum(weight * (1.0 if name in first else miss_weights[name]) for name, weight in passed.items())
    lost = sum((1 - score / 200) * calendar.due[name][1] for name, score in scores.items())
    lost += sum(miss_weights[name] * passed[name] for name in missed)
    return {
        "due": len(passed),
        "missed": len(missed) / max(len(passed), 1),
        "missed_weight": sum(passed[name] for name in missed) / weight if weight else 0.0,
        "missed_last": row,
        "late": sum(1 for margin in margins if margin < 0) / max(len(margins), 1),
        "early": sum(margins) / max(len(margins), 1),
        "early_above": sum(sooner) / len(sooner) if sooner else 0.0,
        "ahead": sum(1 for name in first if name not in passed),
        "since_submission": day - 1 - max(first.values()) if first else day - calendar.start,
        "score_mean": sum(scores.values()) / (200 * len(scores)) if scores else 0.5,
        "score_last": 0.5 if newest is None else newest / 200,
        "score_above": sum(above) / len(above) if above else 0.0,
        "points": points / counts if counts > 1e-9 else 0.5,
        "earned": sum(score / 200 * calendar.due[name][1] for name, score in scores.items()),
        "reachable": 1 - lost,
        "progress": history.progress / 200,
        "lead": calendar.start - (calendar.start if history.enrolled is None else history.enrolled),
        "next_due": min(upcoming, default=64),
        "phase": (day - calendar.start) / max(calendar.end - calendar.start, 1),
    }
