"""Off-policy evaluation: the outcomes of a policy that was not run, from the draws recorded in the store.

Its data are each enrolment's first recorded draw, the draw's propensity, and the learner's outcome. From
these the outcome is estimated for the policy of a trial (:mod:`evaluation.policies.recorded_past`), and for
no nudges at all. If the policy chooses actions that were never tried, or there are too few draws, the result
is *not yet known*.
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
class RecordedDraws:
    """Recorded first draws with a known outcome, columns [n]."""

    changes: list[str]
    """The risk change of each draw."""
    campaigns: list[str]
    actions: list[str]
    """The action that was drawn."""
    propensities: Floats
    decided: Ints
    known: Ints
    happened: Floats

    @classmethod
    def from_store(cls, reader: StoreReader, outcome: OutcomeName) -> "RecordedDraws":
        """The draws of a store for one outcome."""
        rows = reader.query(DRAWS, {"outcome": outcome}).rows
        columns: list[list[object]] = [list(column) for column in zip(*rows, strict=True)] or [[]] * 7
        changes, campaigns, variants, propensities, decided, known, happened = columns
        return cls(
            [str(value) for value in changes],
            [str(value) for value in campaigns],
            [action(str(value), str(variant)) for value, variant in zip(campaigns, variants, strict=True)],
            np.array(propensities, float),
            _days(decided),
            _days(known),
            np.array(happened, float),
        )


@dataclass(frozen=True, slots=True)
class OutcomeEstimate:
    """The estimates of one outcome; None where they are not yet known."""

    outcome: OutcomeName
    draws: int
    tried: int
    """Draws at which every action of the policy had a positive propensity."""
    policy: tuple[Estimate, Estimate, Estimate] | None = None
    """The policy's outcome by inverse propensity, self-normalised, doubly robust."""
    nobody: tuple[Estimate, Estimate, Estimate] | None = None
    gained: Estimate | None = None
    """The difference of the policy to no nudges."""


def estimate_outcomes(policy: Policy, trial: Trial, reader: StoreReader) -> list[OutcomeEstimate]:
    """The estimates of every outcome for the trial's policy."""
    return [
        estimate_outcome(policy, trial, RecordedDraws.from_store(reader, name), name) for name in OUTCOMES
    ]


def estimate_outcome(
    policy: Policy, trial: Trial, draws: RecordedDraws, outcome: OutcomeName
) -> OutcomeEstimate:
    """The estimate of one outcome for the trial's policy, from its recorded draws."""
    actions = [NO_NUDGE, *sorted(set(draws.actions) - {NO_NUDGE})]
    chosen = [shares(policy, trial.by_risk_change.get(change)) for change in draws.changes]
    columns, beyond = share_columns(chosen, actions)
    if not draws.changes:
        return OutcomeEstimate(outcome, 0, 0)
    inside = supported(columns, beyond, actions, draws.campaigns)
    count = int(inside.sum())
    taken = np.array([actions.index(name) for name in draws.actions], np.int64)
    if count < MIN_OUTCOMES:
        return OutcomeEstimate(outcome, len(taken), count)

    def logged(shares: Floats) -> LoggedDecisions:
        return LoggedDecisions(taken[inside], draws.propensities[inside], draws.happened[inside], shares)

    means = earlier_means(taken, draws.happened, draws.decided, draws.known, len(actions))[inside]
    with_policy, nobody = logged(columns[inside]), logged(always(0, len(actions), count))
    return OutcomeEstimate(
        outcome,
        len(taken),
        count,
        _estimators(with_policy, means),
        _estimators(nobody, means),
        gain(with_policy, nobody, means),
    )


def _estimators(logged: LoggedDecisions, means: Floats) -> tuple[Estimate, Estimate, Estimate] | None:
    """The three estimators; None where the effective sample size is too small."""
    weighted = inverse_propensity(logged)
    if weighted.effective < MIN_OUTCOMES:
        return None
    return weighted, self_normalised(logged), doubly_robust(logged, means)


def show(console: Console, outcomes: Iterable[OutcomeEstimate]) -> None:
    """Print the table of estimates."""
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
    for outcome in outcomes:
        judgement = _judgement(outcome)
        cells = [""] * 3 if outcome.policy is None else [_share(estimate) for estimate in outcome.policy]
        nobody = "" if outcome.nobody is None else _share(outcome.nobody[2])
        difference = "" if outcome.gained is None or judgement is None else _points(outcome.gained)
        table.add_row(outcome.outcome, *cells, nobody, difference, judgement or _unknown_reason(outcome))
    console.print(table)


def _judgement(outcome: OutcomeEstimate) -> str | None:
    if outcome.policy is None or outcome.nobody is None or outcome.gained is None:
        return None
    interval = outcome.gained.interval
    return "more" if interval.low > 0 else "less" if interval.high < 0 else "not yet known"


def _unknown_reason(outcome: OutcomeEstimate) -> str:
    if outcome.tried < outcome.draws - outcome.tried:
        untried = outcome.draws - outcome.tried
        return f"not yet known: at {untried:,} of {outcome.draws:,} draws it does what was never tried"
    if outcome.tried < MIN_OUTCOMES:
        return f"not yet known: {outcome.tried:,} draws, expected {MIN_OUTCOMES}"
    return "not yet known: hardly a recorded draw came out as it would decide"


def _share(estimate: Estimate) -> str:
    low, high = estimate.interval.low, estimate.interval.high
    return f"{100 * estimate.value:.1f} ({100 * low:.1f} to {100 * high:.1f})"


def _points(estimate: Estimate) -> str:
    low, high = estimate.interval.low, estimate.interval.high
    return f"{100 * estimate.value:+.1f} ({100 * low:+.1f} to {100 * high:+.1f})"


def _days(dates: Iterable[object]) -> Ints:
    return np.array([day.toordinal() for day in dates if isinstance(day, date)], np.int64)
