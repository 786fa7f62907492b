"""The tables of ``homeroom experiment``, from the store's outcomes."""

from collections.abc import Iterable
from datetime import date

import numpy as np
from rich.table import Column

from nudges.experiments.effects import MIN_OUTCOMES, Arm, Effect, anytime, fixed
from nudges.experiments.off_policy import (
    Estimate,
    Ints,
    LoggedDecisions,
    always,
    doubly_robust,
    earlier_means,
    inverse_propensity,
    self_normalised,
)
from nudges.experiments.outcomes import OUTCOMES
from nudges.experiments.report import EffectLine, OutcomeCount, effect_lines
from output.screen import console
from output.screen import table as table_of
from sinks.store import StoreReader

EFFECTS = """
SELECT campaign, variant, arm, outcome, count(), countIf(happened), uniqExact(propensity)
FROM nudge_outcomes FINAL
WHERE first
GROUP BY campaign, variant, arm, outcome
"""

A_A = """
SELECT campaign, '', if(cityHash64('a/a', learner, course_run) % 2 = 0, 'holdout', 'nudged') AS half, outcome,
    count(), countIf(happened)
FROM nudge_outcomes FINAL
WHERE first AND arm = 'nudged'
GROUP BY campaign, half, outcome
"""
"""Two random halves of the nudged, which differ by nothing: any effect between them is a false alarm."""

LOGGED = """
SELECT variant, propensity, decided, known, happened
FROM nudge_outcomes FINAL
WHERE first AND campaign = %(campaign)s AND outcome = %(outcome)s
ORDER BY decision_id
"""


def show_effects(reader: StoreReader, *, a_a: bool = False, at_the_end: bool = False) -> None:
    """Print the effects of nudges by campaign, variant and outcome. a_a: those of two random halves."""
    answer = reader.query(A_A if a_a else EFFECTS)
    effects = effect_lines((OutcomeCount(*row) for row in answer.rows), fixed if at_the_end else anytime)
    if not effects:
        console.print("no outcome is known yet: the first are, seven days after the first decision")
        return
    names = Column("campaign", overflow="fold"), Column("variant", overflow="fold")
    outcome = Column("outcome", no_wrap=True, min_width=max(map(len, OUTCOMES)))
    table = table_of(*names, outcome, *_arms(a_a), "difference", "95 % interval", "so it", "")
    for line in effects:
        table.add_row(line.campaign, line.variant, line.outcome, *_cells(line), _detectable_difference(line))
    console.print(table)


def show_off_policy_estimates(reader: StoreReader, campaign: str, outcome: str) -> bool:
    """Print what each variant for everybody would have given; False, and nothing, without known outcomes."""
    answer = reader.query(LOGGED, {"campaign": campaign, "outcome": outcome})
    if not answer.rows:
        return False
    variant, propensity, decided_on, known_on, happened = zip(*answer.rows, strict=True)
    names = sorted(set(variant))
    choices, rewards = np.array([names.index(name) for name in variant]), np.array(happened, float)
    means = earlier_means(choices, rewards, _days(decided_on), _days(known_on), len(names))
    table = table_of("if all had got", "inverse propensity", "self-normalised", "doubly robust", "worth rows")
    for choice, name in enumerate(names):
        logged = LoggedDecisions(
            choices, np.array(propensity), rewards, always(choice, len(names), len(choices))
        )
        weighted, robust = inverse_propensity(logged), doubly_robust(logged, means)
        estimates = (weighted, self_normalised(logged), robust)
        enough = weighted.effective >= MIN_OUTCOMES
        cells = map(_estimate, estimates) if enough else ["not yet known"] * len(estimates)
        table.add_row(name or "no nudge", *cells, f"{weighted.effective:,.0f}")
    console.print(table)
    return True


def _days(dates: Iterable[date]) -> Ints:
    return np.array([day.toordinal() for day in dates], np.int64)


def _estimate(estimate: Estimate) -> str:
    low, high = estimate.interval.low, estimate.interval.high
    return f"{100 * estimate.value:.1f} ({100 * low:.1f} to {100 * high:.1f})"


def _arms(a_a: bool) -> tuple[str, str]:
    return ("one half", "other half") if a_a else ("nudged", "holdout")


def _cells(line: EffectLine) -> tuple[str, ...]:
    effect = line.effect
    if not min(effect.nudged.known, effect.holdout.known):
        return _arm(effect.nudged), _arm(effect.holdout), "", "", line.judgement
    return (
        _arm(effect.nudged),
        _arm(effect.holdout),
        f"{100 * effect.difference:+.1f}",
        _interval(effect),
        line.judgement,
    )


def _interval(effect: Effect) -> str:
    return f"{100 * effect.interval.low:+.1f} to {100 * effect.interval.high:+.1f}"


def _arm(arm: Arm) -> str:
    return f"{arm.share:.1%} of {arm.known:,}" if arm.known else "nobody yet"


def _detectable_difference(line: EffectLine) -> str:
    if line.judgement != "not yet known":
        return ""
    return "too few" if line.detectable is None else f"could see {100 * line.detectable:.1f} points"
