"""Explanations of a changed estimate, in words that an instructor can check against the course page.

A scorer gives each feature's contribution to the change of the log-odds; contributions add up to the change,
for every model. Correlated features (clicks in 3, 7, 14 days) share one reason: contributions are summed by
the catalogue's group, and the reason's text is that of the feature with the largest contribution.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from features.catalogue import FEATURES, INDEX
from online_models.cohorts import MIDDLE
from online_models.design import FeatureBatch, Floats
from online_models.feature_wording import FeatureVector, describe, describe_change, percentage
from online_models.scoring import Scorer, log_odds_of
from schemas.risk import CONFIRMED, MEMORY, MODEL, RISK_LEVELS, RUN, Reason

GROUPS: dict[str, list[int]] = {}
"""Group → the indexes of its features."""
for _index, _feature in enumerate(FEATURES):
    GROUPS.setdefault(_feature.group, []).append(_index)

NON_FEATURE_PARTS = {
    MODEL: "the model has learned from course runs that ended since the last change",
    MEMORY: "earlier days still count: an estimate follows what is new over some days",
    RUN: "withdrawals from the course run differ from those foretold, which is told of everybody in it",
}
"""Part → its reason's text, given where it moved an estimate more than every group of features."""

OPPOSITE_NOTE = "; what is new about the learner speaks the other way"


@dataclass(frozen=True, slots=True)
class Explanation:
    """Why one estimate changed: its main reasons, and the contributions of all parts in log-odds."""

    reasons: list[Reason]
    parts: dict[str, float]


def explain(
    scorer: Scorer,
    before: FeatureBatch,
    after: FeatureBatch,
    previous: list[float],
    current: list[float],
    typical: FeatureVector | None,
    memory_changes: Sequence[float] | None = None,
    run_changes: Sequence[float] | None = None,
) -> list[Explanation]:
    """Why n estimates of a run changed since they were last reported.

    before, after: inputs then and now. previous, current: the probabilities reported then, and now. typical:
    a typical learner of the cohort; None omits reliefs. memory_changes, run_changes: the contributions, in
    log-odds, of the memory of earlier days and of the run's intercept; zero by default.
    """
    moved = scorer.contributions(before, after)
    zeros = [0.0] * len(current)
    memory = zeros if memory_changes is None else memory_changes
    run = zeros if run_changes is None else run_changes
    explanations = []
    for index, (old, new) in enumerate(zip(previous, current, strict=True)):
        parts = change_parts(moved[:, index], old, new, memory[index], run[index])
        then, now = (FeatureVector(batch.codes[:, index], batch.ranks[:, index]) for batch in (before, after))
        reasons = main_reasons(then, now, moved[:, index], towards=new - old)
        reasons += _non_feature_reasons(parts, reasons, towards=new - old)
        explanations.append(Explanation(reasons, parts))
    if typical is None:
        return explanations
    rising = [
        [reason.feature for reason in explanation.reasons if reason.feature not in NON_FEATURE_PARTS]
        if new > old
        else []
        for explanation, old, new in zip(explanations, previous, current, strict=True)
    ]
    return [
        _with_reliefs(explanation, texts)
        for explanation, texts in zip(
            explanations, reliefs(scorer, after, typical, rising, current), strict=True
        )
    ]


def _with_reliefs(explanation: Explanation, texts: dict[str, str]) -> Explanation:
    reasons = [
        reason.model_copy(update={"relief": texts.get(reason.feature)}) for reason in explanation.reasons
    ]
    return Explanation(reasons, explanation.parts)


def _non_feature_reasons(parts: dict[str, float], reasons: list[Reason], towards: float) -> list[Reason]:
    """Reasons for the parts of no feature that moved the estimate more than every group of features."""
    direction = 1.0 if towards > 0 else -1.0
    strongest = max((reason.contribution * direction for reason in reasons), default=0.0)
    return [
        Reason(feature=part, text=words if reasons else words + OPPOSITE_NOTE, contribution=parts[part])
        for part, words in NON_FEATURE_PARTS.items()
        if parts[part] * direction > strongest
    ]


def change_parts(
    moved: Floats, before: float, after: float, memory: float = 0.0, run: float = 0.0
) -> dict[str, float]:
    """The contribution of each part to the change from one probability to another, in log-odds.

    moved: contributions of the features by the newest model, [features]. memory, run: contributions of the
    memory of earlier days and of the run's intercept. The remainder is what the model learned in the
    meantime. All parts, rounded to six decimals, add up to the change.
    """
    parts = {group: round(float(moved[features].sum()), 6) for group, features in GROUPS.items()}
    parts[MEMORY] = round(memory, 6)
    parts[RUN] = round(run, 6)
    parts[MODEL] = round(_log_odds(after) - _log_odds(before) - sum(parts.values()), 6)
    return parts


def _log_odds(probability: float) -> float:
    return float(log_odds_of(np.array(probability)))


def reliefs(
    scorer: Scorer,
    batch: FeatureBatch,
    typical: FeatureVector,
    features: Sequence[Sequence[str]],
    reported: Sequence[float],
) -> list[dict[str, str]]:
    """Counterfactuals that would lower each of n estimates: feature → text.

    typical: a typical learner of the cohort. features: those of the reasons, of each of the n; a
    counterfactual sets the feature's whole group to the typical learner's. reported: the probabilities
    served, which follow the scorer's over some days. A relief is omitted if learners cannot act on the group,
    if it does not lower both the scorer's estimate and the reported one, or if its text equals the present
    one.
    """
    candidates = [
        (enrolment, name)
        for enrolment, names in enumerate(features)
        for name in names
        if FEATURES[INDEX[name]].group not in _NOT_ACTIONABLE
    ]
    reliefs: list[dict[str, str]] = [{} for _ in features]
    if not candidates:
        return reliefs
    columns = [enrolment for enrolment, _ in candidates]
    codes, ranks = batch.codes[:, columns], batch.ranks[:, columns]
    for column, (_, name) in enumerate(candidates):
        group = GROUPS[FEATURES[INDEX[name]].group]
        codes[group, column], ranks[group, column] = typical.codes[group], typical.ranks[group]
    estimates = scorer.estimate(FeatureBatch(codes, ranks, batch.context[:, columns])).lost
    current = scorer.estimate(batch).lost
    for (enrolment, name), probability in zip(candidates, estimates.tolist(), strict=True):
        if min(current[enrolment], reported[enrolment]) - probability < MIN_RELIEF:
            continue
        text = _as_typical(
            INDEX[name], FeatureVector(batch.codes[:, enrolment], batch.ranks[:, enrolment]), typical
        )
        if text:
            reliefs[enrolment][name] = f"{text}: {percentage(probability)}"
    return reliefs


def _as_typical(feature: int, learner: FeatureVector, typical: FeatureVector) -> str:
    """The text of a counterfactual: the typical learner's value in the group of a feature; empty without one.

    It names the reason's own feature if its text differs, else the group's feature whose rank differs most.
    """
    group = FEATURES[feature].group
    if group == "silence":
        return "active again" if learner.codes[INDEX["clicks_all"]] else "a first activity"
    distances = {index: abs(int(typical.ranks[index]) - int(learner.ranks[index])) for index in GROUPS[group]}
    for index in sorted(distances, key=lambda index: (index != feature, -distances[index])):
        words = describe(index, typical)
        if words != describe(index, learner):
            return f"as for a typical learner of the course ({words})"
    return ""


MIN_RELIEF = 0.01
"""Reliefs that lower the estimate by less are omitted."""

_NOT_ACTIONABLE = frozenset({"course"})


def cohort_median(profile: NDArray[np.uint8]) -> FeatureVector:
    """The median learner of a cohort, feature by feature. profile: its ranks by bin, [features, bins]."""
    codes = np.abs(profile.astype(np.int64) - MIDDLE).argmin(axis=1).astype(np.uint8)
    return FeatureVector(codes, profile[np.arange(len(profile)), codes])


def typical_learner(profile: NDArray[np.uint8]) -> FeatureVector:
    """The reference of reliefs: the median learner of a cohort, but active on the last day.

    A whole cohort may be silent for weeks, and its silence is no advice. profile: as for ``cohort_median``.
    """
    middle, silence = cohort_median(profile), GROUPS["silence"]
    middle.codes[silence], middle.ranks[silence] = 0, profile[silence, 0]
    return middle


def confirmation_reason(before: str, level: str, previous: float, current: float) -> list[Reason]:
    """The first reason of a level change whose estimate moved the other way, or not at all; else none.

    before, level: of ``RISK_LEVELS``. previous, current: the probabilities reported with them.
    """
    rose = RISK_LEVELS.index(level) > RISK_LEVELS.index(before)
    if (current > previous) == rose:
        return []
    text = f"the estimate was as {'high' if rose else 'low'} before, and is confirmed by the days since"
    return [Reason(feature=CONFIRMED, text=text, contribution=0.0)]


def main_reasons(
    before: FeatureVector,
    after: FeatureVector,
    moved: Floats,
    limit: int = 3,
    *,
    towards: float | None = None,
) -> list[Reason]:
    """Reasons for the groups with the largest contributions in the direction of the change.

    moved: the contribution of each feature to the change, in log-odds [features], by one scorer: with two, a
    change of the model would be attributed to the learner. limit: the number of reasons. towards: its sign is
    the direction; by default that of the sum of ``moved``. A reason's contribution is that of its group. The
    list is empty where no group moved in that direction.
    """
    direction = 1.0 if (moved.sum() if towards is None else towards) > 0 else -1.0
    sums = [(float(moved[indexes].sum()), indexes) for indexes in GROUPS.values()]
    strongest = sorted(
        (group for group in sums if group[0] * direction > 0), key=lambda group: -abs(group[0])
    )
    return [_reason(before, after, moved, total, indexes) for total, indexes in strongest[:limit]]


def _reason(
    before: FeatureVector, after: FeatureVector, moved: Floats, total: float, indexes: list[int]
) -> Reason:
    strongest = max(indexes, key=lambda index: moved[index] * np.sign(total))
    return Reason(
        feature=FEATURES[strongest].name,
        text=describe_change(strongest, before, after),
        contribution=round(total, 6),
    )
