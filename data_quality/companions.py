"""Co-occurrence of kinds of activity on a learner's day: it shows losses of a run's only source.

For such a source there are no other counts to compare with, and its own fall by half within days without any
fault. But a learner who is active in one kind on a day is active in certain other kinds as well: on the Open
University data on the home page, on 95 ± 2 of 100 days, in term as at Christmas. Lost events break this,
whatever learners do: if half of the events are lost, 46 of the 95 are left.

So for each kind, of the learners active in other kinds on a day, the share that was active in this kind too
is learned, with its noise. Only the *steadiest* kinds are used, those with the least variance, sampling
included. Of these the one that fell least decides, since lost events are of every kind. Evidence is summed
over days as in ``rhythm.Share``.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from math import exp, log
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from data_quality.rhythm import (
    FIRST_VARIANCE,
    LN10,
    MIN_LOSS,
    SHARE,
    SHARE_NOISE,
    SUSPECTED_AT,
    WARM,
    page_sum,
)
from schemas.activity import ACTIVITY_KINDS, ActivityKind

KINDS = len(ACTIVITY_KINDS)

WITHOUT_COMPANIONS: frozenset[ActivityKind] = frozenset({"submission"})
"""Kinds that depend on deadlines: they do not co-occur with others."""

HAS_COMPANIONS = np.array([kind not in WITHOUT_COMPANIONS for kind in ACTIVITY_KINDS])

MIN_USUAL = log(0.25)
"""Kinds that co-occur with others less often are not used; logarithm of the share."""

STEADIEST = 1.5
"""Most variance of the kinds used, as a multiple of the steadiest kind's."""

MIN_LEARNERS = 10
"""Fewest learners active in other kinds for which a day is evaluated."""

MIN_VARIANCE = 0.002
"""Of the logarithm of a share: a share of .95 then varies by .04, twice as much as on OULAD."""

MAX_DEVIATION, MAX_EXCESS = 1.0, 4.0
MAX_SHARE = 0.98

Counts = NDArray[np.integer[Any]]
"""Numbers of learners, [2, kinds]: active in another kind, and of these, active in this kind too."""


def count_companions(clicks: NDArray[np.uint8]) -> NDArray[np.int32]:
    """``Counts`` of a course run's day: clicks [enrolments, kinds] → int32 [2, kinds]."""
    active = (clicks > 0) & HAS_COMPANIONS
    with_others = (active.sum(axis=1)[:, None] - active > 0) & HAS_COMPANIONS
    return np.array([with_others.sum(axis=0), (with_others & active).sum(axis=0)], np.int32)


class CompanionLoss(NamedTuple):
    """A day's evidence for a loss of three in ten against none."""

    ratio: float
    """Log-likelihood ratio, in decimal places."""
    share_left: float
    """Share of the events that are left, by the kind that fell least."""


@dataclass(slots=True)
class Companions:
    """How often each kind co-occurs with others, as a logarithm, and evidence that all do less often."""

    evidence: float = 0.0
    since: int = 0
    """The first day of the evidence."""
    days: list[int] = field(default_factory=lambda: [0] * KINDS)
    means: list[float] = field(default_factory=lambda: [0.0] * KINDS)
    variances: list[float] = field(default_factory=lambda: [FIRST_VARIANCE] * KINDS)

    @property
    def is_suspected(self) -> bool:
        return self.evidence >= SUSPECTED_AT

    def compare(self, counts: Counts, level_drop: float) -> CompanionLoss | None:
        """Compare a day with the usual co-occurrence; None if there are too few learners or days.

        level_drop: how far the source is below its own level, as a logarithm; where it is not, nothing was
        lost.
        """
        others, both = counts.tolist()
        eligible = [
            kind for kind in range(KINDS) if self.days[kind] >= WARM and self.means[kind] >= MIN_USUAL
        ]
        variances = {
            kind: self.variances[kind] + self._sampling_variance(kind, others[kind]) for kind in eligible
        }
        steadiest = [kind for kind in eligible if variances[kind] <= STEADIEST * min(variances.values())]
        if not steadiest or min(others[kind] for kind in steadiest) < MIN_LEARNERS:
            return None
        drops = {kind: max(self._deviation(kind, others[kind], both[kind]), level_drop) for kind in steadiest}
        ratios = [
            MIN_LOSS
            * (drops[kind] - MIN_LOSS / 2)
            / (self.variances[kind] + self._sampling_variance(kind, others[kind], MIN_LOSS))
            / LN10
            for kind in steadiest
        ]
        return CompanionLoss(min(ratios), exp(min(max(drops.values()), 0.0)))

    def add_evidence(self, day: int, ratio: float, maximum: float, *, reported: bool) -> None:
        """Add a day to the evidence, of at most ``maximum``. reported: an alarm is open."""
        if self.evidence == 0.0:
            self.since = day
        self.evidence = page_sum(self.evidence, ratio, maximum, reported=reported)

    def learn(self, counts: Counts) -> None:
        """Learn from a day, but not while a loss is suspected."""
        if self.is_suspected:
            return
        for kind, (others, both) in enumerate(zip(*counts.tolist(), strict=True)):
            if others >= MIN_LEARNERS:
                self._learn(kind, others, both)

    def _learn(self, kind: int, others: int, both: int) -> None:
        self.days[kind] += 1
        deviation = self._deviation(kind, others, both)
        if self.days[kind] >= WARM:
            deviation = min(max(deviation, -MAX_DEVIATION), MAX_DEVIATION)
        self.means[kind] += max(SHARE, 1 / self.days[kind]) * deviation
        if self.days[kind] > WARM // 2:
            before = self.variances[kind]
            excess = min(deviation * deviation - self._sampling_variance(kind, others), MAX_EXCESS * before)
            self.variances[kind] = max(before + SHARE_NOISE * (excess - before), MIN_VARIANCE)

    def _deviation(self, kind: int, others: int, both: int) -> float:
        return log((both + 0.5) / (others + 1)) - self.means[kind]

    def _sampling_variance(self, kind: int, others: int, lost: float = 0.0) -> float:
        """Sampling variance of the logarithm of a share of ``others`` learners."""
        share = min(exp(self.means[kind] + lost), MAX_SHARE)
        return (1 - share) / share / (others + 1)


def dump_companions(companions: Companions) -> list[float | list[float]]:
    """The fields as JSON."""
    return [
        companions.evidence,
        companions.since,
        [*companions.days],
        [*companions.means],
        [*companions.variances],
    ]


def load_companions(parts: Sequence[object]) -> Companions:
    """Restore the result of ``dump_companions``; new where it is empty."""
    return Companions(*parts)  # type: ignore[arg-type]
