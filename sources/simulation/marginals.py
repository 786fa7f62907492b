"""How closely a simulated run resembles OULAD: the same figures of both, side by side.

Measured from messages alone, so that the figures describe what is published. The OULAD column is from the
project's field notes; weekly figures are over the enrolments in force in that week.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import orjson

from sources.simulation.plan import Run
from sources.stream import DAY, SourceMessage

Array = np.ndarray[Any, Any]


@dataclass(frozen=True, slots=True)
class Marginal:
    """One figure of OULAD, and how far the simulator may deviate from it."""

    name: str
    oulad: float
    tolerance: float


def _row(
    name: str, labels: str, values: Iterable[float], tolerance: float, relative: bool = False
) -> list[Marginal]:
    pairs = zip(labels.split("/"), values, strict=True)
    return [
        Marginal(f"{name} {label}", value, tolerance * (value if relative else 1)) for label, value in pairs
    ]


MARGINALS: tuple[Marginal, ...] = (
    *_row("outcome", "pass/withdrawn/fail/distinction", (0.379, 0.312, 0.216, 0.093), 0.03),
    Marginal("withdrawn before day 0", 0.26, 0.04),
    *_row("withdrawal day", "p10/p25", (8, 17), 6),
    *_row("withdrawal day", "p50/p75/p90", (66, 137, 183), 20),
    Marginal("silent fails (≥ 28 days)", 0.75, 0.06),
    Marginal("never active", 0.10, 0.02),
    *_row("clicks an active day", "mean/p25/p50/p75/p90/p95/p99", (21.9, 4, 11, 26, 52, 77, 158), 0.25, True),
    *_row("clicks, log", "mean/sd", (2.32, 1.29), 0.15),
    *_row("active days of a week", "0/1/2/3/4", (0.349, 0.179, 0.137, 0.109, 0.085), 0.03),
    *_row("active days of a week", "5/6/7", (0.063, 0.044, 0.034), 0.015),
    *_row("gaps between active days", "1/2", (0.55, 0.15), 0.04),
    *_row("gaps between active days", "7+/14+/28+", (0.10, 0.032, 0.008), 0.3, True),
    *_row("active in week", "0/2/5/10/20/30", (0.80, 0.83, 0.74, 0.56, 0.64, 0.56), 0.08),
    *_row("clicks by day mod 7", "0/1/2/3/4/5/6", (0.112, 0.143, 0.174, 0.168, 0.159, 0.135, 0.109), 0.03),
    *_row(
        "clicks by kind",
        "content/forum/quiz/home/page/resource/wiki",
        (0.28, 0.20, 0.18, 0.18, 0.09, 0.03, 0.02),
        0.03,
    ),
    Marginal("assignments handed in", 0.59, 0.05),
    *_row("days late", "p25/p50/p75/p95", (-5, -1, 2, 7), 3),
    Marginal("days late p5", -132, 40),
    Marginal("handed in late", 0.30, 0.06),
    *_row("score", "mean/sd", (0.76, 0.19), 0.03),
    Marginal("active days an enrolment, median", 47, 10),
    Marginal("clicks an enrolment, median", 740, 160),
    Marginal("clicks an enrolment, Gini", 0.58, 0.06),
    *_row("autocorrelation at days", "1/7/14", (0.19, 0.11, 0.08), 0.06),
)


@dataclass(frozen=True, slots=True)
class ObservedRun:
    """One run, as read from its messages. Days are relative to its start; columns [n] or [n, days]."""

    clicks: Array
    """[n, days] clicks on each day from the start."""
    withdrawn: Array
    """[n] day, NaN without one."""
    results: list[str]
    kinds: dict[str, int]
    lags: Array
    scores: Array
    deadlines: int
    last: Array
    """[n] day of the last click, NaN without any."""


def observe(messages: Iterable[SourceMessage], run: Run) -> ObservedRun:
    """Collect a run's messages; those of other runs are skipped."""
    indices: dict[str, int] = {}
    clicks = np.zeros((run.learners, run.days + 1), dtype=np.int64)
    withdrawn, last = np.full(run.learners, np.nan), np.full(run.learners, np.nan)
    results = ["withdrawn"] * run.learners
    kinds: dict[str, int] = {}
    due: dict[str, int] = {}
    lags, scores = [], []
    for message in messages:
        body = orjson.loads(message.value)
        if body.get("course_run") != run.course_run:
            continue
        day = message.occurred_at // DAY - run.starts_on
        if body["type"] == "calendar":
            for deadline in body["deadlines"]:
                due[deadline["assessment"]] = _day(deadline["due_at"]) - 1 - run.starts_on
            continue
        learner = indices.setdefault(body["learner"], len(indices))
        if body["type"] == "withdrawn":
            withdrawn[learner] = day
        elif body["type"] == "completed":
            results[learner] = body["result"]
        elif body.get("kind") == "submission":
            lags.append(day - due[body["object"]])
            scores.append(body["score"])
        elif body["type"] == "activity":
            last[learner] = day
            kinds[body["kind"]] = kinds.get(body["kind"], 0) + body["count"]
            if day >= 0:
                clicks[learner, day] += body["count"]
    return ObservedRun(clicks, withdrawn, results, kinds, np.array(lags), np.array(scores), len(due), last)


def measure(messages: Iterable[SourceMessage], run: Run) -> dict[str, float]:
    """Every figure of MARGINALS, by its name, from the messages of `run`."""
    observed = observe(messages, run)
    active = observed.clicks > 0
    ever = ~np.isnan(observed.last)
    return {
        **_outcomes(observed, run),
        **_click_figures(observed, active),
        **_weeks(active, observed.withdrawn, run),
        **_gaps(active),
        **_submissions(observed, run),
        "never active": 1 - float(ever.mean()),
        "active days an enrolment, median": float(np.median(active[ever].sum(axis=1))),
        "clicks an enrolment, median": float(np.median(observed.clicks[ever].sum(axis=1))),
        "clicks an enrolment, Gini": _gini(observed.clicks[ever].sum(axis=1)),
        **{f"autocorrelation at days {lag}": _autocorrelation(active, lag) for lag in (1, 7, 14)},
    }


def table(measured: dict[str, float]) -> str:
    """Simulated figures beside OULAD's, one per line; ``!`` marks those outside their tolerance."""
    lines = [f"{'figure':<36}{'OULAD':>9}{'simulated':>11}{'±':>8}"]
    for marginal in MARGINALS:
        value = measured.get(marginal.name, float("nan"))
        mark = "" if abs(value - marginal.oulad) <= marginal.tolerance else "  !"
        lines.append(
            f"{marginal.name:<36}{marginal.oulad:>9.3g}{value:>11.3g}{marginal.tolerance:>8.2g}{mark}"
        )
    return "\n".join(lines)


def _day(text: str) -> int:
    return int(np.datetime64(text.removesuffix("Z"), "D").astype(np.int64))


def _outcomes(observed: ObservedRun, run: Run) -> dict[str, float]:
    results = np.array(observed.results)
    figures = {
        f"outcome {name}": float((results == name).mean())
        for name in ("pass", "distinction", "fail", "withdrawn")
    }
    withdrawal_days = observed.withdrawn[~np.isnan(observed.withdrawn)]
    figures["withdrawn before day 0"] = float((withdrawal_days < 0).mean())
    figures |= _quantiles("withdrawal day", withdrawal_days[withdrawal_days >= 0], (10, 25, 50, 75, 90))
    silence = run.days - np.nan_to_num(observed.last[results == "fail"], nan=-1.0)
    figures["silent fails (≥ 28 days)"] = float((silence >= 28).mean())
    return figures


def _click_figures(observed: ObservedRun, active: Array) -> dict[str, float]:
    daily = observed.clicks[active]
    by_day = np.array([observed.clicks[:, day::7].sum() for day in range(7)]) / daily.sum()
    total = sum(observed.kinds.values())
    return {
        "clicks an active day mean": float(daily.mean()),
        **_quantiles("clicks an active day", daily, (25, 50, 75, 90, 95, 99)),
        "clicks, log mean": float(np.log(daily).mean()),
        "clicks, log sd": float(np.log(daily).std()),
        **{f"clicks by day mod 7 {day}": float(share) for day, share in enumerate(by_day)},
        **{f"clicks by kind {kind}": clicks / total for kind, clicks in observed.kinds.items()},
    }


def _weeks(active: Array, withdrawn: Array, run: Run) -> dict[str, float]:
    counts, figures = np.zeros(8), {}
    for week in range(run.weeks):
        in_force = ~(withdrawn < 7 * week)
        active_days = active[in_force, 7 * week : 7 * week + 7].sum(axis=1)
        counts += np.bincount(active_days, minlength=8)
        figures[f"active in week {week}"] = float((active_days > 0).mean())
    shares = counts / counts.sum()
    return figures | {f"active days of a week {days}": float(share) for days, share in enumerate(shares)}


def _gaps(active: Array) -> dict[str, float]:
    learner, day = np.nonzero(active)
    gaps = np.diff(day)[np.diff(learner) == 0]
    exact = {f"gaps between active days {days}": float((gaps == days).mean()) for days in (1, 2)}
    return exact | {f"gaps between active days {days}+": float((gaps >= days).mean()) for days in (7, 14, 28)}


def _submissions(observed: ObservedRun, run: Run) -> dict[str, float]:
    return {
        "assignments handed in": len(observed.lags) / (observed.deadlines * run.learners),
        **_quantiles("days late", observed.lags, (5, 25, 50, 75, 95)),
        "handed in late": float((observed.lags > 0).mean()),
        "score mean": float(observed.scores.mean()),
        "score sd": float(observed.scores.std()),
    }


def _quantiles(name: str, values: Array, percents: Iterable[int]) -> dict[str, float]:
    return {f"{name} p{percent}": float(np.percentile(values, percent)) for percent in percents}


def _gini(values: Array) -> float:
    ordered, n = np.sort(values), len(values)
    return float(2 * (np.arange(1, n + 1) * ordered).sum() / (n * ordered.sum()) - (n + 1) / n)


def _autocorrelation(active: Array, lag: int) -> float:
    """Mean over learners of the correlation between a learner's days that are `lag` apart."""
    later, earlier = active[:, lag:].astype(float), active[:, :-lag].astype(float)
    later, earlier = later - later.mean(axis=1, keepdims=True), earlier - earlier.mean(axis=1, keepdims=True)
    spread = np.sqrt((later**2).sum(axis=1) * (earlier**2).sum(axis=1))
    defined = spread > 0
    return float(((later * earlier).sum(axis=1)[defined] / spread[defined]).mean())
