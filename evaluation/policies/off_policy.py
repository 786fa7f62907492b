"""What a policy that was not run would have earned at the draws that the store recorded.

Beside a trial's counts (:mod:`evaluation.policies.recorded_past`): each enrolment's first recorded draw, the
probability with which it came out, and what became of the learner. From these the outcome is estimated as it
would have been had the policy in question decided there, and had nobody been nudged. Where the policy does
what was never tried, or too little is recorded, the answer is *not yet known*.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date

import numpy as np
from rich.console import Console
from rich.table import Column, Table

from evaluation.policies.recorded_past import Trial
from nudges.experiments.effects import MIN_OUTCOMES
from nudges.experiments.off_policy import (
    Estimate,
    Floats,
    Ints,
    LoggedDecisions,
    always,
    doubly_robust,
    earlier_means,
    gain,
    inverse_propensity,
    self_normalised,
)
from nudges.experiments.outcomes import OUTCOMES, OutcomeName
from nudges.experiments.retrospect import NO_NUDGE, action, share_columns, shares, supported
from nudges.policy import Policy
from sinks.store import StoreReader

DRAWS = """
SELECT l.risk_change_id, o.campaign, o.variant, o.propensity, o.decided, o.known, o.happened
FROM (SELECT * FROM nudge_outcomes FINAL WHERE first AND outcome = %(outcome)s) AS o
JOIN (SELECT decision_id, risk_change_id FROM nudge_ledger FINAL) AS l ON l.decision_id = o.decision_id
ORDER BY o.decision_id
"""


@dataclass(frozen=True, slots=True)
class Draws:
    """Recorded first draws whose outcome is known, columns [n]."""

    changes: list[str]
    """The risk change that each answered."""
    campaigns: list[str]
    taken: list[str]
    """The action that came out."""
    propensities: Floats
    decided: Ints
    known: Ints
    happened: Floats

    @classmethod
    def of(cls, reader: StoreReader, outcome: OutcomeName) -> "Draws":
        """Those of a store."""
        rows = reader.query(DRAWS, {"outcome": outcome}).rows
        columns: list[list[object]] = [list(column) for column in zip(*rows, strict=True)] or [[]] * 7
        changes, campaigns, variants, propensities, decided, known, happened = columns
        return cls(
            [str(one) for one in changes],
            [str(one) for one in campaigns],
            [action(str(one), str(two)) for one, two in zip(campaigns, variants, strict=True)],
            np.array(propensities, float),
            _days(decided),
            _days(known),
            np.array(happened, float),
        )


@dataclass(frozen=True, slots=True)
class Instead:
    """One outcome, as recorded and as it would have been; estimates are None where nothing can be said."""

    outcome: OutcomeName
    draws: int
    tried: int
    """Of these, where all that the policy would do had a chance."""
    policy: tuple[Estimate, Estimate, Estimate] | None = None
    """By inverse propensity, self-normalised, doubly robust."""
    nobody: tuple[Estimate, Estimate, Estimate] | None = None
    gained: Estimate | None = None
    """The policy over nobody nudged."""


def estimates(policy: Policy, trial: Trial, reader: StoreReader) -> list[Instead]:
    """What the trial's policy would have earned, an outcome after the other."""
    return [instead(policy, trial, Draws.of(reader, name), name) for name in OUTCOMES]


def instead(policy: Policy, trial: Trial, draws: Draws, outcome: OutcomeName) -> Instead:
    """The same of some draws."""
    actions = [NO_NUDGE, *sorted(set(draws.taken) - {NO_NUDGE})]
    chosen = [shares(policy, trial.of_change.get(change)) for change in draws.changes]
    columns, beyond = share_columns(chosen, actions)
    if not draws.changes:
        return Instead(outcome, 0, 0)
    inside = supported(columns, beyond, actions, draws.campaigns)
    count = int(inside.sum())
    made = np.array([actions.index(one) for one in draws.taken], np.int64)
    if count < MIN_OUTCOMES:
        return Instead(outcome, len(made), count)

    def logged(shares: Floats) -> LoggedDecisions:
        return LoggedDecisions(made[inside], draws.propensities[inside], draws.happened[inside], shares)

    means = earlier_means(made, draws.happened, draws.decided, draws.known, len(actions))[inside]
    this, nobody = logged(columns[inside]), logged(always(0, len(actions), count))
    return Instead(
        outcome,
        len(made),
        count,
        _three(this, means),
        _three(nobody, means),
        gain(this, nobody, means),
    )


def _three(logged: LoggedDecisions, means: Floats) -> tuple[Estimate, Estimate, Estimate] | None:
    """None where too few recorded rows speak for the policy."""
    weighted = inverse_propensity(logged)
    if weighted.effective < MIN_OUTCOMES:
        return None
    return weighted, self_normalised(logged), doubly_robust(logged, means)


def show(console: Console, found: Iterable[Instead]) -> None:
    """The estimates as a person reads them."""
    table = Table(
        Column("outcome", no_wrap=True, min_width=max(map(len, OUTCOMES))),
        "nudging so: inverse propensity",
        "self-normalised",
        "doubly robust",
        "nobody: doubly robust",
        "difference, 95 % interval",
        "so it",
        title="As it would have been at the recorded draws",
    )
    for one in found:
        judged = _judged(one)
        cells = [""] * 3 if one.policy is None else [_share(each) for each in one.policy]
        nobody = "" if one.nobody is None else _share(one.nobody[2])
        difference = "" if one.gained is None or judged is None else _points(one.gained)
        table.add_row(one.outcome, *cells, nobody, difference, judged or _why_not(one))
    console.print(table)


def _judged(one: Instead) -> str | None:
    if one.policy is None or one.nobody is None or one.gained is None:
        return None
    interval = one.gained.interval
    return "more" if interval.low > 0 else "less" if interval.high < 0 else "not yet known"


def _why_not(one: Instead) -> str:
    if one.tried < one.draws - one.tried:
        return (
            f"not yet known: at {one.draws - one.tried:,} of {one.draws:,} draws it does what was never tried"
        )
    if one.tried < MIN_OUTCOMES:
        return f"not yet known: {one.tried:,} draws, expected {MIN_OUTCOMES}"
    return "not yet known: hardly a recorded draw came out as it would decide"


def _share(estimate: Estimate) -> str:
    low, high = estimate.interval.low, estimate.interval.high
    return f"{100 * estimate.value:.1f} ({100 * low:.1f} to {100 * high:.1f})"


def _points(estimate: Estimate) -> str:
    low, high = estimate.interval.low, estimate.interval.high
    return f"{100 * estimate.value:+.1f} ({100 * low:+.1f} to {100 * high:+.1f})"


def _days(dates: Iterable[object]) -> Ints:
    return np.array([one.toordinal() for one in dates if isinstance(one, date)], np.int64)
