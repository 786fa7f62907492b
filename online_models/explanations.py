"""Why an estimate changed, in words that an instructor can check against the course page.

A scorer says what each feature contributes to the change of the log-odds, and these parts add up to the
change, whatever the model is. Features that say nearly the same (clicks in 3, 7, 14 days) share one
reason: the change is summed by the catalogue's group and told by the feature that moved most.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from features.catalogue import FEATURES, INDEX
from online_models.cohorts import MIDDLE
from online_models.design import Floats, Seen
from online_models.feature_wording import View, describe, percentage, sentence
from online_models.scoring import Scorer, log_odds_of
from schemas.risk import CONFIRMED, MEMORY, MODEL, RISK_LEVELS, RUN, Reason

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
            found[at][name] = f"{like}: {percentage(probability)}"
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
