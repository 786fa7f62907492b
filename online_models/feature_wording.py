"""The value of a feature in words that an instructor can check against the course page.

Every feature of the catalogue has a clause in ``WORDS``; :func:`describe_change` adds the previous value.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from features.bins import bin_start
from features.catalogue import FEATURES, INDEX, KIND_GROUPS, WINDOWS, Linear
from features.compute_coursework import NO_PHASE

Words = Callable[[float], str]
"""A feature's value → a clause without a full stop."""


@dataclass(frozen=True, slots=True)
class FeatureVector:
    """The bins and cohort ranks of one enrolment at one time, [features] each."""

    codes: NDArray[np.uint8]
    ranks: NDArray[np.uint8]


def describe_change(index: int, before: FeatureVector, after: FeatureVector) -> str:
    """A feature's value in words with its previous value, or its rank in the course, or both.

    The rank is added if the value reads as before, or if value and rank moved in opposite directions. index:
    of the feature in the catalogue.
    """
    current, previous = describe(index, after), describe(index, before)
    bin_change = int(after.codes[index]) - int(before.codes[index])
    rank_change = int(after.ranks[index]) - int(before.ranks[index])
    past = [previous] if previous != current else []
    if FEATURES[index].ranked and rank_change and (previous == current or bin_change * rank_change < 0):
        more = _COMPARED.get(FEATURES[index].name, "more")
        current += f", {more} than for {_percent(after.ranks[index])} of the course's learners"
        past.append(_percent(before.ranks[index]))
    return f"{current} (before: {', '.join(past)})" if past else current


_COMPARED = {
    **dict.fromkeys(("silence", "silence_own", "gap_28", "since_submission"), "longer"),
    **dict.fromkeys(("score_mean", "score_last"), "higher"),
    **dict.fromkeys(("early", "lead"), "earlier"),
}
"""The comparative of a higher rank, for features of which it is not *more*."""


def describe(index: int, vector: FeatureVector) -> str:
    """A feature's value in words. index: of the feature in the catalogue."""
    name = FEATURES[index].name
    if name in {"silence", "silence_own"} and vector.codes[INDEX["clicks_all"]] == 0:
        return "no activity yet"
    if name in _NEED_SUBMISSION and _nothing_handed_in(vector):
        return "nothing handed in yet"
    for clicks, words in _NO_TREND.get(name, {}).items():
        if vector.codes[INDEX[clicks]] == 0:
            return words
    return WORDS[name](_value(index, int(vector.codes[index])))


_NO_TREND = {
    "trend_7": {
        "clicks_28": "no activity in the last 28 days",
        "clicks_7": "no activity in the last week, but in the three weeks before",
    },
    "trend_own": {"clicks_14": "no activity in the last two weeks"},
}
"""Texts of a trend without activity: feature → the first count that is 0 → text."""


def _nothing_handed_in(vector: FeatureVector) -> bool:
    """Whether everything due was missed, and nothing was handed in ahead."""
    return bool(
        vector.codes[INDEX["ahead"]] == 0
        and (vector.codes[INDEX["due"]] == 0 or vector.codes[INDEX["missed"]] == _ALL)
    )


_ALL = 63

_NEED_SUBMISSION = frozenset(
    {"late", "early", "early_above", "since_submission", "score_mean", "score_last", "score_above"}
)


def _value(index: int, bin_: int) -> float:
    """A bin's value for a reader: the last bin of a linear scale stands for its upper bound."""
    feature = FEATURES[index]
    if isinstance(feature.scale, Linear) and bin_ == _ALL:
        return feature.scale.high
    return bin_start(feature, bin_)


def _percent(rank: np.uint8) -> str:
    return f"{round(int(rank) / 255 * 100)} %"


def _count(number: float, singular: str, plural: str | None = None) -> str:
    """'no clicks', '1 click', '12 clicks'."""
    whole = round(number)
    if whole == 1:
        return f"1 {singular}"
    return f"{whole or 'no'} {plural or singular + 's'}"


def percentage(number: float) -> str:
    """A share in whole per cent: '12 %'."""
    return f"{round(number * 100)} %"


def _clicks(what: str, window: int) -> Words:
    kind = f" ({what})" if what else ""
    days = "the last day" if window == 1 else f"the last {window} days"
    return lambda n: f"{_count(n, 'click')}{kind} in {days}"


def _active(window: int) -> Words:
    if window == 1:
        return lambda n: "active on the last day" if round(n) else "not active on the last day"
    return lambda n: f"active on {round(n)} of the last {window} days"


def _minutes(window: int) -> Words:
    return lambda n: f"{_count(n, 'minute')} spent in the last {window} days"


def _habit(half_life: int) -> Words:
    over = {2: "few days", 7: "week or so", 21: "three weeks or so", 28: "month or so"}[half_life]
    return lambda n: f"active on {percentage(n)} of the days of the last {over}"


def _trend(recent: str, earlier: str) -> Words:
    def words(octaves: float) -> str:
        if abs(octaves) < 0.5:
            return f"about as active in {recent} as {earlier}"
        times = 2 ** abs(octaves)
        factor = f"{times:.0f} times" if times >= 1.75 else "one and a half times"
        return f"{factor} {'more' if octaves > 0 else 'less'} activity in {recent} than {earlier}"

    return words


def _missed_in_a_row(deadlines: float) -> str:
    number = round(deadlines)
    if number < 2:
        return "the last deadline missed" if number else "the last deadline met"
    return f"{_count(number, 'deadline')} missed in a row"


def _late(share: float) -> str:
    return f"{percentage(share)} of what was handed in came late" if share else "nothing handed in late"


def _early(days: float) -> str:
    whole = round(abs(days))
    if whole == 0:
        return "work handed in on the deadline on average"
    return (
        f"work handed in {_count(whole, 'day')} {'before' if days > 0 else 'after'} the deadline on average"
    )


def _above(deviations: float) -> str:
    if abs(deviations) < 0.25:
        return "scores about as most in the course"
    size = "well" if abs(deviations) >= 1 else "somewhat"
    return f"scores {size} {'above' if deviations > 0 else 'below'} the course's mean"


def _sooner(deviations: float) -> str:
    if abs(deviations) < 0.25:
        return "work handed in about when most do"
    size = "much" if abs(deviations) >= 1 else "somewhat"
    return f"work handed in {size} {'earlier' if deviations > 0 else 'later'} than by most in the course"


def _lead(days: float) -> str:
    if round(days) == 0:
        return "registered about when the course began"
    return f"registered about {_count(abs(days), 'day')} {'before' if days > 0 else 'after'} the start"


def _phase(share: float) -> str:
    if share <= NO_PHASE:
        return "the course has no end"
    return "the course has not begun" if share < 0 else f"{percentage(share)} of the course gone by"


_KIND_WORDS = {
    "home": "home page",
    "content": "content",
    "forum": "forum",
    "quiz": "quizzes",
    "page": "pages",
}

WORDS: dict[str, Words] = {
    **{f"clicks_{window}": _clicks("", window) for window in WINDOWS},
    **{f"active_days_{window}": _active(window) for window in WINDOWS},
    **{f"{kind}_{window}": _clicks(_KIND_WORDS[kind], window) for kind in KIND_GROUPS for window in (7, 28)},
    **{f"ewma_{half_life}": _habit(half_life) for half_life in (2, 7, 21, 28)},
    "minutes_7": _minutes(7),
    "minutes_28": _minutes(28),
    "kinds_28": lambda n: (
        f"{_count(n, 'kind')} of activity in the last 28 days"
        if round(n)
        else "no activity of any kind in the last 28 days"
    ),
    "spread_28": lambda n: f"active days differ by {n:.1f} from week to week",
    "gap_28": lambda n: f"longest silence of the last 28 days: {_count(n, 'day')}",
    "trend_7": _trend("the last week", "in the three weeks before"),
    "trend_own": _trend("the last two weeks", "in this learner's whole past"),
    "silence": lambda n: f"no activity for {_count(n, 'day')}" if round(n) else "active on the last day",
    "silence_own": lambda n: (
        f"silent {n:.1f} times as long as usual for this learner" if n >= 0.05 else "active on the last day"
    ),
    "clicks_all": lambda n: f"{_count(n, 'click')} since registration",
    "active_days_all": lambda n: f"{_count(n, 'active day')} since registration",
    "active_share": lambda n: f"active on {percentage(n)} of the days since the course began",
    "due": lambda n: f"{_count(n, 'deadline')} passed so far",
    "missed": lambda n: f"{percentage(n)} of deadlines missed" if n else "no deadline missed",
    "missed_weight": lambda n: (
        f"work for {percentage(n)} of the grade due so far not handed in"
        if n
        else "all work due so far handed in"
    ),
    "missed_last": _missed_in_a_row,
    "late": _late,
    "early": _early,
    "early_above": _sooner,
    "ahead": lambda n: f"{_count(n, 'task')} handed in ahead of the deadline",
    "since_submission": lambda n: (
        f"last work handed in {_count(n, 'day')} ago" if round(n) else "work handed in now"
    ),
    "score_mean": lambda n: f"mean score {percentage(n)}",
    "score_last": lambda n: f"last score {percentage(n)}",
    "score_above": _above,
    "points": lambda n: f"{percentage(n)} of the points due so far earned",
    "earned": lambda n: f"{percentage(n)} of the whole grade earned so far",
    "reachable": lambda n: f"about {percentage(n)} of the whole grade can still be reached",
    "progress": lambda n: f"progress {percentage(n)}",
    "lead": _lead,
    "next_due": lambda n: f"next deadline in {_count(n, 'day')}" if round(n) else "a deadline is today",
    "phase": _phase,
}
"""Every feature of the catalogue; a test holds this complete."""
