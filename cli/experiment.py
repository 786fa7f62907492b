"""``homeroom experiment``: how many learners a trial needs, and what the one that always runs has shown."""

from collections.abc import Iterable
from datetime import date
from typing import Annotated

import numpy as np
import typer
from rich.table import Column

from cli.options import StoreFolder
from cli.stores import store_reader
from nudges.experiments.effects import LEVEL, MIN_OUTCOMES, Arm, Effect, anytime, fixed
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
from nudges.experiments.size import POWER, size_for_many_looks, size_for_one_look
from output.screen import console
from output.screen import table as table_of
from sinks.store import StoreReader

app = typer.Typer(
    help="How many learners a trial needs, and what nudges have been shown to do.", no_args_is_help=True
)

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
"""Two halves of the nudged, drawn by chance: nothing tells them apart, so any effect found is a false one."""


LOGGED = """
SELECT variant, propensity, decided, known, happened
FROM nudge_outcomes FINAL
WHERE first AND campaign = %(campaign)s AND outcome = %(outcome)s
ORDER BY decision_id
"""


@app.command("size")
def size(
    base: Annotated[float, typer.Option(help="Share that does it without a nudge.")] = 0.44,
    effect: Annotated[float, typer.Option(help="Difference to be seen: .02 is two points.")] = 0.02,
    holdout: Annotated[float, typer.Option(help="Share of the learners held out.")] = 0.5,
    power: Annotated[float, typer.Option(help="How often it is to be seen if it is there.")] = POWER,
    level: Annotated[float, typer.Option(help="Of the intervals.")] = LEVEL,
) -> None:
    """How many learners it takes to see an effect, looking once, and looking as often as one likes."""
    try:
        found = {
            "once, at the end": size_for_one_look(base, effect, holdout, level, power),
            "as often as one likes": size_for_many_looks(base, effect, holdout, level, power),
        }
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None
    table = table_of("looking", "nudged", "holdout", "together")
    for looking, arms in found.items():
        table.add_row(looking, f"{arms.nudged:,}", f"{arms.holdout:,}", f"{arms.total:,}")
    console.print(table)


@app.command("show")
def show(
    folder: StoreFolder = None,
    a_a: Annotated[
        bool, typer.Option("--a-a", help="Compare two halves of the nudged, which must not differ.")
    ] = False,
    at_the_end: Annotated[
        bool, typer.Option("--at-the-end", help="Intervals for one look at a trial that has ended.")
    ] = False,
) -> None:
    """What nudges did, against the holdout: intervals that stay valid however often one looks."""
    with store_reader(folder) as reader:
        show_effects(reader, a_a=a_a, at_the_end=at_the_end)


def show_effects(reader: StoreReader, *, a_a: bool = False, at_the_end: bool = False) -> None:
    """The table of effects that a store's outcomes give."""
    answer = reader.query(A_A if a_a else EFFECTS)
    found = effect_lines((OutcomeCount(*row) for row in answer.rows), fixed if at_the_end else anytime)
    if not found:
        console.print("no outcome is known yet: the first are, seven days after the first decision")
        return
    names = Column("campaign", overflow="fold"), Column("variant", overflow="fold")
    outcome = Column("outcome", no_wrap=True, min_width=max(map(len, OUTCOMES)))
    table = table_of(*names, outcome, *_arms(a_a), "difference", "95 % interval", "so it", "")
    for line in found:
        table.add_row(line.campaign, line.variant, line.outcome, *_cells(line), _could_see(line))
    console.print(table)


@app.command("instead")
def instead(
    campaign: Annotated[str, typer.Argument(help="A campaign's name.")],
    outcome: Annotated[str, typer.Option(help="One of the outcomes of `experiment show`.")] = "active_7",
    folder: StoreFolder = None,
) -> None:
    """What would have been if everybody had got one variant, or nobody a nudge; from what was logged.

    Not yet known where the log is worth fewer than 100 rows of it.
    """
    with store_reader(folder) as reader:
        answer = reader.query(LOGGED, {"campaign": campaign, "outcome": outcome})
    if not answer.rows:
        raise typer.BadParameter(f"no outcome {outcome!r} of campaign {campaign!r} is known yet")
    variant, propensity, decided, known, happened = zip(*answer.rows, strict=True)
    names = sorted(set(variant))
    made, rewards = np.array([names.index(one) for one in variant]), np.array(happened, float)
    means = earlier_means(made, rewards, _days(decided), _days(known), len(names))
    table = table_of("if all had got", "inverse propensity", "self-normalised", "doubly robust", "worth rows")
    for choice, name in enumerate(names):
        logged = LoggedDecisions(made, np.array(propensity), rewards, always(choice, len(names), len(made)))
        weighted, robust = inverse_propensity(logged), doubly_robust(logged, means)
        found = (weighted, self_normalised(logged), robust)
        enough = weighted.effective >= MIN_OUTCOMES
        cells = map(_estimate, found) if enough else ["not yet known"] * len(found)
        table.add_row(name or "no nudge", *cells, f"{weighted.effective:,.0f}")
    console.print(table)


def _days(dates: Iterable[date]) -> Ints:
    return np.array([one.toordinal() for one in dates], np.int64)


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


def _could_see(line: EffectLine) -> str:
    if line.judgement != "not yet known":
        return ""
    return "too few" if line.detectable is None else f"could see {100 * line.detectable:.1f} points"
