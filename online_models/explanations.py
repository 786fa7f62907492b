"""Why an estimate changed, in words that an instructor can check against the course page.

A scorer says what each feature contributes to the change of the log-odds, and these parts add up to the
change, whatever the model is. Features that say nearly the same (clicks in 3, 7, 14 days) share one
reason: the change is summed by the catalogue's group and told by the feature that moved most.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from features.bins import value
from features.catalogue import FEATURES, INDEX, KIND_GROUPS, WINDOWS, Linear
from online_models.cohorts import MIDDLE
from online_models.design import Floats, Seen
from online_models.scoring import Scorer, log_odds_of
from schemas.risk import CONFIRMED, MEMORY, MODEL, RISK_LEVELS, RUN, Reason

Words = Callable[[float], str]
"""From a feature's value to what it means, in a clause without a full stop."""


@dataclass(frozen=True, slots=True)
class View:
    """What was seen in one enrolment at one time; each [features]."""

    codes: NDArray[np.uint8]
    ranks: NDArray[np.uint8]


GROUPS: dict[str, list[int]] = {}
"""Each group's features, by their places."""
for _place, _feature in enumerate(FEATURES):
    GROUPS.setdefault(_feature.group, []).append(_place)

NOT_NEW = {
    MODEL: "the model has learned from course runs that ended since the last change",
    MEMORY: "earlier days still count: an estimate follows what is new over some days",
    RUN: "withdrawals from the course run differ from those foretold, which is told of everybody in it",
}
"""What these parts are called where they moved an estimate more than anything about the learner."""

OTHER_WAY = "; what is new about the learner speaks the other way"


@dataclass(frozen=True, slots=True)
class Why:
    """Why one estimate changed."""

    reasons: list[Reason]
    parts: dict[str, float]


def explain(
    scorer: Scorer,
    before: Seen,
    after: Seen,
    was: list[float],
    now: list[float],
    typical: View | None,
    remembered: Sequence[float] | None = None,
    shifted: Sequence[float] | None = None,
) -> list[Why]:
    """Why n estimates of a run changed since they were last told: from ``was`` to ``now``.

    before, after: what was seen then and now. typical: a typical learner of the cohort, None where nobody
    knows. remembered: of the change, in log-odds, what the memory of earlier days makes; shifted: what the
    intercept of the course run makes; nothing where left out.
    """
    moved = scorer.changes(before, after)
    views = [
        [View(seen.codes[:, at], seen.ranks[:, at]) for seen in (before, after)] for at in range(len(now))
    ]
    memory, run = ([0.0] * len(now) if part is None else part for part in (remembered, shifted))
    added = [parts(moved[:, at], was[at], now[at], memory[at], run[at]) for at in range(len(now))]
    reasons = []
    for at, (then, since) in enumerate(views):
        towards = now[at] - was[at]
        told = main_reasons(then, since, moved[:, at], towards=towards)
        reasons.append([*told, *_not_new(added[at], told, towards)])
    if typical is not None:
        rising = [
            [reason.feature for reason in told if reason.feature not in NOT_NEW] if now[at] > was[at] else []
            for at, told in enumerate(reasons)
        ]
        found = reliefs(scorer, after, typical, rising, now)
        reasons = [
            [reason.model_copy(update={"relief": words.get(reason.feature)}) for reason in told]
            for told, words in zip(reasons, found, strict=True)
        ]
    return [Why(told, one) for told, one in zip(reasons, added, strict=True)]


def _not_new(added: dict[str, float], told: list[Reason], towards: float) -> list[Reason]:
    """Parts that are not new about the learner, where they moved the estimate more than all that is."""
    direction = 1.0 if towards > 0 else -1.0
    most = max((reason.contribution * direction for reason in told), default=0.0)
    return [
        Reason(feature=part, text=words if told else words + OTHER_WAY, contribution=added[part])
        for part, words in NOT_NEW.items()
        if added[part] * direction > most
    ]


def parts(
    moved: Floats, before: float, after: float, memory: float = 0.0, run: float = 0.0
) -> dict[str, float]:
    """What each group contributed to the change from one probability to another, in log-odds.

    moved: of each feature, by the newest model, [features]. memory: of earlier days; run: of the run's
    intercept. What they leave over is what the model learned in the meantime. All parts, which have six
    decimals, add up to the change.
    """
    found = {group: round(float(moved[places].sum()), 6) for group, places in GROUPS.items()}
    found[MEMORY] = round(memory, 6)
    found[RUN] = round(run, 6)
    found[MODEL] = round(_log_odds(after) - _log_odds(before) - sum(found.values()), 6)
    return found


def _log_odds(probability: float) -> float:
    return float(log_odds_of(np.array(probability)))


def reliefs(
    scorer: Scorer, seen: Seen, typical: View, wanted: Sequence[Sequence[str]], told: Sequence[float]
) -> list[dict[str, str]]:
    """What would bring each of n estimates down: feature → words.

    typical: a typical learner of the cohort. wanted: the features that reasons are told by, of each of the n;
    all of a feature's group would be as theirs. told: the probabilities that readers are told, which follow
    the scorer's over some days. One is left out that nobody can change by what they do, that would not lower
    the estimate, neither the scorer's nor the one told, or that would read as what there is.
    """
    asked = [
        (at, name)
        for at, names in enumerate(wanted)
        for name in names
        if FEATURES[INDEX[name]].group not in _NOT_THEIRS
    ]
    found: list[dict[str, str]] = [{} for _ in wanted]
    if not asked:
        return found
    columns = [at for at, _ in asked]
    codes, ranks = seen.codes[:, columns], seen.ranks[:, columns]
    for column, (_, name) in enumerate(asked):
        places = GROUPS[FEATURES[INDEX[name]].group]
        codes[places, column], ranks[places, column] = typical.codes[places], typical.ranks[places]
    then = scorer.estimate(Seen(codes, ranks, seen.context[:, columns])).lost
    now = scorer.estimate(seen).lost
    for (at, name), probability in zip(asked, then.tolist(), strict=True):
        if min(now[at], told[at]) - probability < WORTH_SAYING:
            continue
        like = _as_typical(INDEX[name], View(seen.codes[:, at], seen.ranks[:, at]), typical)
        if like:
            found[at][name] = f"{like}: {_share(probability)}"
    return found


def _as_typical(told: int, seen: View, typical: View) -> str:
    """What a learner would be to be as the typical one in the group of a reason; empty where it has no words.

    By the feature of the reason, where that reads differently, else by the one that differs most and does.
    """
    group = FEATURES[told].group
    if group == "silence":
        return "active again" if seen.codes[INDEX["clicks_all"]] else "a first activity"
    apart = {place: abs(int(typical.ranks[place]) - int(seen.ranks[place])) for place in GROUPS[group]}
    for place in sorted(apart, key=lambda place: (place != told, -apart[place])):
        words = describe(place, typical)
        if words != describe(place, seen):
            return f"as for a typical learner of the course ({words})"
    return ""


WORTH_SAYING = 0.01
"""A relief that lowers the estimate by less is none."""

_NOT_THEIRS = frozenset({"course"})


def middle_of(profile: NDArray[np.uint8]) -> View:
    """The middle of a cohort from its ranks by bin, [features, bins]: for each feature its bin."""
    codes = np.abs(profile.astype(np.int64) - MIDDLE).argmin(axis=1).astype(np.uint8)
    return View(codes, profile[np.arange(len(profile)), codes])


def typical_of(profile: NDArray[np.uint8]) -> View:
    """Whose example a relief takes: the middle of a cohort, but active on the last day.

    A cohort may be silent for weeks, and to be so as well helps nobody.
    """
    middle, silence = middle_of(profile), GROUPS["silence"]
    middle.codes[silence], middle.ranks[silence] = 0, profile[silence, 0]
    return middle


def confirmed(before: str, level: str, was: float, now: float) -> list[Reason]:
    """The first reason of a level that moved where the estimate had been before, and no further.

    before, level: of ``RISK_LEVELS``. was, now: the probabilities told with them.
    """
    rose = RISK_LEVELS.index(level) > RISK_LEVELS.index(before)
    if (now > was) == rose:
        return []
    text = f"the estimate was as {'high' if rose else 'low'} before, and is confirmed by the days since"
    return [Reason(feature=CONFIRMED, text=text, contribution=0.0)]


def main_reasons(
    before: View, after: View, moved: Floats, limit: int = 3, *, towards: float | None = None
) -> list[Reason]:
    """The groups of features that moved the estimate most in the direction in which it moved.

    towards: that direction, by its sign; that of all features together where nobody says another.
    moved: what each feature contributes to the change by one and the same scorer, in log-odds [features];
    between two scorers the model's own change would be told as the learner's. A reason's contribution is its
    group's. None where no group moved that way.
    """
    direction = 1.0 if (moved.sum() if towards is None else towards) > 0 else -1.0
    sums = [(float(moved[places].sum()), places) for places in GROUPS.values()]
    told = sorted((one for one in sums if one[0] * direction > 0), key=lambda one: -abs(one[0]))
    return [_reason(before, after, moved, total, places) for total, places in told[:limit]]


def _reason(before: View, after: View, moved: Floats, total: float, places: list[int]) -> Reason:
    strongest = max(places, key=lambda place: moved[place] * np.sign(total))
    return Reason(
        feature=FEATURES[strongest].name,
        text=sentence(strongest, before, after),
        contribution=round(total, 6),
    )


def sentence(place: int, before: View, after: View) -> str:
    """A feature's value, and what is new about it: its value before, or its place in the course, or both.

    Both where the course moved faster than the learner: neither alone would say why the estimate moved.
    """
    now, was = describe(place, after), describe(place, before)
    ahead = int(after.codes[place]) - int(before.codes[place])
    climbed = int(after.ranks[place]) - int(before.ranks[place])
    past = [was] if was != now else []
    if FEATURES[place].ranked and climbed and (was == now or ahead * climbed < 0):
        more = _COMPARED.get(FEATURES[place].name, "more")
        now += f", {more} than for {_percent(after.ranks[place])} of the course's learners"
        past.append(_percent(before.ranks[place]))
    return f"{now} (before: {', '.join(past)})" if past else now


_COMPARED = {
    **dict.fromkeys(("silence", "silence_own", "gap_28", "since_submission"), "longer"),
    **dict.fromkeys(("score_mean", "score_last"), "higher"),
    **dict.fromkeys(("early", "lead"), "earlier"),
}
"""What a higher rank is where it is not *more*."""


def describe(place: int, view: View) -> str:
    """A feature's value in words."""
    name = FEATURES[place].name
    if name in {"silence", "silence_own"} and view.codes[INDEX["clicks_all"]] == 0:
        return "no activity yet"
    if name in _NEED_SUBMISSION and _nothing_handed_in(view):
        return "nothing handed in yet"
    for clicks, words in _NO_TREND.get(name, {}).items():
        if view.codes[INDEX[clicks]] == 0:
            return words
    return WORDS[name](_value(place, int(view.codes[place])))


_NO_TREND = {
    "trend_7": {
        "clicks_28": "no activity in the last 28 days",
        "clicks_7": "no activity in the last week, but in the three weeks before",
    },
    "trend_own": {"clicks_14": "no activity in the last two weeks"},
}
"""Nobody who did nothing is *about as active as before*: feature → the first count that is 0 → words."""


def _nothing_handed_in(view: View) -> bool:
    """Everything that was due is missed, and nothing was handed in ahead."""
    return bool(
        view.codes[INDEX["ahead"]] == 0
        and (view.codes[INDEX["due"]] == 0 or view.codes[INDEX["missed"]] == _ALL)
    )


_ALL = 63
_NEED_SUBMISSION = frozenset(
    {"late", "early", "early_above", "since_submission", "score_mean", "score_last", "score_above"}
)


def _value(place: int, bin_: int) -> float:
    """A bin's value as a reader is told it. The last linear bin holds the upper bound, and means it."""
    feature = FEATURES[place]
    if isinstance(feature.scale, Linear) and bin_ == _ALL:
        return feature.scale.high
    return value(feature, bin_)


def _percent(rank: np.uint8) -> str:
    return f"{round(int(rank) / 255 * 100)} %"


def _count(number: float, one: str, many: str | None = None) -> str:
    """'no clicks', '1 click', '12 clicks'."""
    whole = round(number)
    if whole == 1:
        return f"1 {one}"
    return f"{whole or 'no'} {many or one + 's'}"


def _share(number: float) -> str:
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
    return lambda n: f"active on {_share(n)} of the days of the last {over}"


def _trend(now: str, then: str) -> Words:
    def words(octaves: float) -> str:
        if abs(octaves) < 0.5:
            return f"about as active in {now} as {then}"
        times = 2 ** abs(octaves)
        factor = f"{times:.0f} times" if times >= 1.75 else "one and a half times"
        return f"{factor} {'more' if octaves > 0 else 'less'} activity in {now} than {then}"

    return words


def _missed_in_a_row(deadlines: float) -> str:
    number = round(deadlines)
    if number < 2:
        return "the last deadline missed" if number else "the last deadline met"
    return f"{_count(number, 'deadline')} missed in a row"


def _late(share: float) -> str:
    return f"{_share(share)} of what was handed in came late" if share else "nothing handed in late"


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
    return "the course has not begun" if share < 0 else f"{_share(share)} of the course gone by"


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
    "active_share": lambda n: f"active on {_share(n)} of the days since the course began",
    "due": lambda n: f"{_count(n, 'deadline')} passed so far",
    "missed": lambda n: f"{_share(n)} of deadlines missed" if n else "no deadline missed",
    "missed_weight": lambda n: (
        f"work for {_share(n)} of the grade due so far not handed in"
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
    "score_mean": lambda n: f"mean score {_share(n)}",
    "score_last": lambda n: f"last score {_share(n)}",
    "score_above": _above,
    "points": lambda n: f"{_share(n)} of the points due so far earned",
    "earned": lambda n: f"{_share(n)} of the whole grade earned so far",
    "reachable": lambda n: f"about {_share(n)} of the whole grade can still be reached",
    "progress": lambda n: f"progress {_share(n)}",
    "lead": _lead,
    "next_due": lambda n: f"next deadline in {_count(n, 'day')}" if round(n) else "a deadline is today",
    "phase": _phase,
}
"""Every feature of the catalogue; a test holds this complete."""
