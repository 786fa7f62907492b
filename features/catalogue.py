"""Declares every feature once: its name, unit, scale and meaning.

The vectorised code, the model's inputs, the words of a risk change, the docs' table and the
fingerprint that guards stored data all derive from this list. The order is part of the contract:
a feature's index is its row in every array.

A feature's value is stored as its *bin*, one byte in [0, 64). Cohort histograms count bins, ranks are
computed from them and training snapshots store them, so that the model learns from exactly the numbers
that it scores.
"""

import hashlib
from dataclasses import dataclass
from typing import Literal

BINS = 64
WINDOWS = (1, 3, 7, 14, 28)
"""Days. Slow averages and lifetime features cover more than a month."""

HALF_LIVES = (2, 7, 21, 28)
"""Days, of the exponentially weighted activity."""

Group = Literal["volume", "days", "kinds", "rhythm", "silence", "deadlines", "scores", "course"]


@dataclass(frozen=True, slots=True)
class Log:
    """Logarithmic bins of a whole number ≥ 0, five per octave: 0 has its own, the last begins at 6,000."""

    per_octave: float = 5.0


@dataclass(frozen=True, slots=True)
class Linear:
    """Equal bins over [low, high]; values outside fall into the first or the last."""

    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Feature:
    """A feature of one enrolment on one day, from events of earlier days only."""

    name: str
    group: Group
    unit: str
    scale: Log | Linear
    meaning: str
    ranked: bool = True
    """Whether its rank in the cohort is informative; not if the whole cohort has the same value."""


def _windows() -> list[Feature]:
    clicks = [
        Feature(f"clicks_{w}", "volume", "clicks", Log(), f"clicks in the last {w} days") for w in WINDOWS
    ]
    active = [
        Feature(f"active_days_{w}", "days", "days", Linear(0, w), f"active days of the last {w}")
        for w in WINDOWS
    ]
    return clicks + active


KIND_GROUPS: dict[str, tuple[str, ...]] = {
    "home": ("home",),
    "content": ("content", "video"),
    "forum": ("forum",),
    "quiz": ("quiz", "submission"),
    "page": ("page", "resource", "wiki", "other"),
}
"""Kinds that are summed for features; the ring counts each kind separately."""


def _kinds() -> list[Feature]:
    return [
        Feature(f"{name}_{w}", "kinds", "clicks", Log(), f"{name} clicks in the last {w} days")
        for name in KIND_GROUPS
        for w in (7, 28)
    ]


def _rhythm() -> list[Feature]:
    ewma = [
        Feature(
            f"ewma_{h}",
            "rhythm",
            "share of days",
            Linear(0, 1),
            f"share of days active, halved every {h} days back",
        )
        for h in HALF_LIVES
    ]
    return [
        *ewma,
        Feature("minutes_7", "volume", "minutes", Log(), "minutes spent in the last 7 days"),
        Feature("minutes_28", "volume", "minutes", Log(), "minutes spent in the last 28 days"),
        Feature(
            "kinds_28", "kinds", "kinds", Linear(0, 10), "different kinds of activity in the last 28 days"
        ),
        Feature("spread_28", "rhythm", "days", Linear(0, 4), "how uneven the last four weeks were"),
        Feature("gap_28", "rhythm", "days", Linear(0, 28), "longest silence within the last 28 days"),
        Feature(
            "trend_7", "rhythm", "octaves", Linear(-8, 8), "clicks of the last week against the three before"
        ),
        Feature(
            "trend_own",
            "rhythm",
            "octaves",
            Linear(-8, 8),
            "clicks of the last two weeks against the whole past",
        ),
        Feature("silence", "silence", "days", Log(), "days since the last activity"),
        Feature(
            "silence_own", "silence", "gaps", Linear(0, 16), "days silent against this learner's usual gap"
        ),
        Feature("clicks_all", "volume", "clicks", Log(), "clicks since registration"),
        Feature("active_days_all", "days", "days", Log(), "active days since registration"),
        Feature("active_share", "days", "share", Linear(0, 1), "share of days active since the course began"),
    ]


def _deadlines() -> list[Feature]:
    return [
        Feature("due", "deadlines", "deadlines", Linear(0, 32), "deadlines passed so far", ranked=False),
        Feature(
            "missed", "deadlines", "share", Linear(0, 1), "share of deadlines passed with nothing handed in"
        ),
        Feature(
            "missed_weight",
            "deadlines",
            "share",
            Linear(0, 1),
            "share of the grade's weight passed and not handed in",
        ),
        Feature(
            "missed_last", "deadlines", "deadlines", Linear(0, 4), "deadlines in a row missed, up to now"
        ),
        Feature("late", "deadlines", "share", Linear(0, 1), "share of what was handed in that came late"),
        Feature(
            "early", "deadlines", "days", Linear(-8, 24), "mean days between handing in and the deadline"
        ),
        Feature(
            "early_above",
            "deadlines",
            "deviations",
            Linear(-3, 3),
            "mean days before the deadline, each in standard deviations above the cohort's for the same work",
            ranked=False,
        ),
        Feature("ahead", "deadlines", "tasks", Linear(0, 8), "handed in before it was due"),
        Feature("since_submission", "deadlines", "days", Log(), "days since something was handed in"),
    ]


def _scores() -> list[Feature]:
    return [
        Feature("score_mean", "scores", "share", Linear(0, 1), "mean score so far"),
        Feature("score_last", "scores", "share", Linear(0, 1), "score of what was handed in last"),
        Feature(
            "score_above",
            "scores",
            "deviations",
            Linear(-3, 3),
            "mean of the scores, each in standard deviations above the cohort's for the same work",
        ),
        Feature(
            "points",
            "scores",
            "share",
            Linear(0, 1),
            "points earned of those that were due; missed work counts by what a miss says in the course",
        ),
        Feature(
            "earned", "scores", "share", Linear(0, 1), "share of the whole grade earned so far", ranked=False
        ),
        Feature(
            "reachable",
            "scores",
            "share",
            Linear(0, 1),
            "share of the whole grade that can still be reached; missed work counts as for points",
            ranked=False,
        ),
    ]


def _course() -> list[Feature]:
    return [
        Feature("progress", "course", "share", Linear(0, 1), "progress that the platform reports"),
        Feature("lead", "course", "days", Linear(-32, 224), "days from registration to the start"),
        Feature("next_due", "course", "days", Linear(0, 64), "days to the next deadline", ranked=False),
        Feature(
            "phase", "course", "share", Linear(-0.25, 1), "share of the course run gone by", ranked=False
        ),
    ]


FEATURES: tuple[Feature, ...] = (*_windows(), *_kinds(), *_rhythm(), *_deadlines(), *_scores(), *_course())
NAMES: tuple[str, ...] = tuple(feature.name for feature in FEATURES)
INDEX: dict[str, int] = {name: index for index, name in enumerate(NAMES)}
FINGERPRINT: str = hashlib.sha256(repr((BINS, FEATURES)).encode()).hexdigest()[:16]
"""Changes with any declaration. Rows and packages with another fingerprint are refused."""
