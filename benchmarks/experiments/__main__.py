"""The tables of docs/experiments.md: ``python -m benchmarks.experiments [PART ...]``."""

import argparse
import time
from collections.abc import Callable, Iterable

import numpy as np

from benchmarks.experiments import approvals, intervals, variants
from benchmarks.experiments.intervals import Counts
from nudges.experiments.outcomes import OutcomeName
from sources.simulation.cohort import Floats
from sources.simulation.responses import ResponsePlan

WORLDS = {"coverage": 1_000, "alarms": 500, "approvals": 200, "variants": 200}
STRENGTHS = {
    "strong": ResponsePlan(positive=0.5, size=4.0),
    "weak": ResponsePlan(positive=0.3, size=1.5),
}


def coverage(worlds: int) -> None:
    counts_by_outcome = intervals.coverage(worlds)
    print(f"{worlds} worlds, {intervals.LEARNERS:,} learners each, holdout {intervals.HOLDOUT:.0%}\n")
    columns = {
        "fixed, one look": "once",
        "fixed, every look": "peeked",
        "sequence, every look": "always",
        "sequence, last look": "last",
        "not yet known": "not yet known",
        "wrong sign": "wrong sign",
    }
    _head(["outcome", "true effects (5 / 50 / 95 %)", *columns])
    for name, counts in counts_by_outcome.items():
        truths = " / ".join(f"{100 * value:+.1f}" for value in intervals.spread(counts.truths))
        _row([f"`{name}`", truths, *(f"{counts.share(key):.1%}" for key in columns.values())])


def alarms(worlds: int) -> None:
    counts_by_outcome = intervals.false_alarms(worlds)
    trials = worlds * intervals.SPLITS
    print(f"{worlds} worlds without effects, {intervals.SPLITS} draws each: {trials:,} trials an outcome\n")
    _head(["outcome", "fixed, one look", "fixed, every look", "sequence, every look"])
    for name, counts in counts_by_outcome.items():
        _row([f"`{name}`", *(f"{1 - counts.share(key):.1%}" for key in ("once", "peeked", "always"))])
    _total(counts_by_outcome)


def _total(counts_by_outcome: dict[OutcomeName, Counts]) -> None:
    windows = [counts_by_outcome["active_7"], counts_by_outcome["active_14"]]
    shares = [
        1 - np.mean([counts.share(key) for counts in selected])
        for key, selected in (
            ("once", list(counts_by_outcome.values())),
            ("peeked", windows),
            ("always", windows),
        )
    ]
    _row(["all (looked at daily: the first two)", *(f"{share:.1%}" for share in shares)])


def approving(worlds: int) -> None:
    with_effects, without_effects = approvals.coverage(worlds), approvals.false_alarms(worlds)
    print(
        f"{worlds} worlds with effects and {worlds} without, {intervals.LEARNERS:,} learners each, holdout "
        f"{intervals.HOLDOUT:.0%}, an instructor who answers by what is to come; fixed intervals, one look\n"
    )
    without = "without the declined"
    _head(["outcome", "coverage", f"coverage, {without}", "A/A alarms", f"A/A alarms, {without}"])
    for name, comparison in with_effects.items():
        false_alarms = without_effects[name]
        coverages = (comparison.drawn.share("once"), comparison.answered.share("once"))
        alarm_rates = (1 - false_alarms.drawn.share("once"), 1 - false_alarms.answered.share("once"))
        _row([f"`{name}`", *(f"{share:.1%}" for share in (*coverages, *alarm_rates))])


def choosing(worlds: int) -> None:
    for strength, plan in STRENGTHS.items():
        potentials = [variants.potential(plan, variants.LEARNERS, seed) for seed in range(worlds)]
        runs = [variants.bandit(potential, f"bandit-{number}") for number, potential in enumerate(potentials)]
        second_term = [
            variants.bandit(potential, f"later-{number}", runs[number - 1].learned)
            for number, potential in enumerate(potentials)
        ]
        single, oracle = variants.best_of(potentials)
        decisions = np.mean([len(potential.without) for potential in potentials])
        base = np.mean([potential.without.mean() for potential in potentials])
        print(
            f"\n{strength} responses: {worlds} worlds, {decisions:,.0f} decisions each, {plan.variants} "
            f"variants; {base:.1%} are active within a week without a nudge\n"
        )
        _head(["choosing", "gain, points", "share of the oracle's", "second half: gain", "share"])
        halves = (slice(None), None)
        tables = []
        for half in halves:
            gained = [
                variants.gains(
                    potential, run, single, oracle, half or slice(len(potential.without) // 2, None), second
                )
                for potential, run, second in zip(potentials, runs, second_term, strict=True)
            ]
            tables.append({name: np.array([row[name] for row in gained]) for name in gained[0]})
        for name in tables[0]:
            cells = [
                cell
                for table in tables
                for cell in (f"{100 * table[name].mean():.2f}", _part(table[name], table["oracle"]))
            ]
            _row([name, *cells])
        truth = variants.oracles_reward(potentials, oracle)
        print(f"\nthe oracle's policy, estimated from what the bandit logged; truth {truth:.4f}\n")
        _head(["estimator", "mean error", "root mean square error", "mean width", "coverage"])
        estimates = [
            variants.policy_estimates(potential, run, oracle, truth)
            for potential, run in zip(potentials, runs, strict=True)
        ]
        for name in variants.ESTIMATORS:
            errors, widths, covered = (
                np.array(column) for column in zip(*(estimate[name] for estimate in estimates), strict=True)
            )
            _row(
                [
                    name,
                    f"{errors.mean():+.4f}",
                    f"{np.sqrt((errors**2).mean()):.4f}",
                    f"{widths.mean():.4f}",
                    f"{covered.mean():.1%}",
                ]
            )


def _part(gained: Floats, oracles: Floats) -> str:
    """The share of the oracle's gain, with a 95 % bootstrap interval over the worlds."""
    drawn = np.random.default_rng(1).integers(0, len(gained), (2_000, len(gained)))
    shares = gained[drawn].mean(axis=1) / oracles[drawn].mean(axis=1)
    low, high = np.percentile(shares, [2.5, 97.5])
    return f"{gained.mean() / oracles.mean():.1%} ({low:.1%} to {high:.1%})"


def _head(columns: Iterable[str]) -> None:
    names = list(columns)
    _row(names)
    print("|" + "---|" * len(names))


def _row(cells: Iterable[str]) -> None:
    print("| " + " | ".join(cells) + " |", flush=True)


PARTS: dict[str, Callable[[int], None]] = {
    "coverage": coverage,
    "alarms": alarms,
    "approvals": approving,
    "variants": choosing,
}


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.experiments", description=__doc__)
    parser.add_argument("parts", nargs="*", help="all of them if none is named")
    parser.add_argument("--worlds", type=int, help="a part's number of worlds instead of its own")
    options = parser.parse_args()
    for part in options.parts or PARTS:
        started = time.monotonic()
        print(f"\n## {part}\n")
        PARTS[part](options.worlds or WORLDS[part])
        print(f"\n{time.monotonic() - started:.0f} s")


if __name__ == "__main__":
    main()
