"""What goes together on a learner's day: by it a source that stands alone shows that it loses events.

Nobody else's counts say what such a source should have brought, and its own fall by half within days by
themselves. But whoever does anything on a day does some other things on it as well: on the Open University
data they are on the home page, on 95 of 100 days (give or take 2), in term as at Christmas. Events that are
lost tear that apart, whatever learners do: of half of them, 46 of the 95 are left.

So of the learners who were active in other kinds on a day, the share that was active in a kind too is
learned, kind by kind, with its noise. Only the *surest* kinds say anything, those that stray least, chance
included; and of these the one that fell least decides, since lost events are of every kind. Evidence is
summed over days as in ``rhythm.Share``.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from math import exp, log
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from data_quality.rhythm import DOUBTED, FIRST_VARIANCE, LN10, LOST, SHARE, SHARE_NOISE, WARM, cumulated
from schemas.activity import ACTIVITY_KINDS, ActivityKind

KINDS = len(ACTIVITY_KINDS)

APART: frozenset[ActivityKind] = frozenset({"submission"})
"""Kinds that come when something is due: they go with nothing."""

GOING = np.array([kind not in APART for kind in ACTIVITY_KINDS])

USUAL = log(0.25)
"""Kinds that go with others less often say nothing."""

SUREST = 1.5
"""How many times the variance of the surest kind others may have that are held to as well."""

FEW = 10
"""Learners active in other kinds of whom nothing is said."""

LEAST_VARIANCE = 0.002
"""Of a logarithm of a share: one that is .95 strays by .04, twice what it does on OULAD."""

MOST_APART, MOST_STRANGE = 1.0, 4.0
NEARLY_ALL = 0.98

Counts = NDArray[np.integer[Any]]
"""Learners, [2, kinds]: who was active in another kind, and who of them in this one too."""


def counted(clicks: NDArray[np.uint8]) -> NDArray[np.int32]:
    """A day of a course run: clicks [enrolments, kinds] → learners int32 [2, kinds]."""
    active = (clicks > 0) & GOING
    others = (active.sum(axis=1)[:, None] - active > 0) & GOING
    return np.array([others.sum(axis=0), (others & active).sum(axis=0)], np.int32)


class Torn(NamedTuple):
    """How a day speaks for a loss of three in ten against none."""

    ratio: float
    """Log-likelihood ratio, in decimal places."""
    left: float
    """Share of the events that is left, by the kind that fell least."""


@dataclass(slots=True)
class Companions:
    """How often each kind goes with others, as a logarithm, and evidence that all do less often."""

    evidence: float = 0.0
    since: int = 0
    """The first day of the evidence."""
    days: list[int] = field(default_factory=lambda: [0] * KINDS)
    means: list[float] = field(default_factory=lambda: [0.0] * KINDS)
    variances: list[float] = field(default_factory=lambda: [FIRST_VARIANCE] * KINDS)

    @property
    def doubted(self) -> bool:
        return self.evidence >= DOUBTED

    def look(self, counts: Counts, own: float) -> Torn | None:
        """What a day says; None where it says nothing.

        own: how far the source is below its own level, as a logarithm: where no less came, nothing was lost.
        """
        others, both = counts.tolist()
        usual = [kind for kind in range(KINDS) if self.days[kind] >= WARM and self.means[kind] >= USUAL]
        strays = {kind: self.variances[kind] + self._chance(kind, others[kind]) for kind in usual}
        surest = [kind for kind in usual if strays[kind] <= SUREST * min(strays.values())]
        if not surest or min(others[kind] for kind in surest) < FEW:
            return None
        fell = {kind: max(self._apart(kind, others[kind], both[kind]), own) for kind in surest}
        ratios = [
            LOST
            * (fell[kind] - LOST / 2)
            / (self.variances[kind] + self._chance(kind, others[kind], LOST))
            / LN10
            for kind in surest
        ]
        return Torn(min(ratios), exp(min(max(fell.values()), 0.0)))

    def weigh(self, day: int, ratio: float, most: float, *, told: bool) -> None:
        """Add a day to the evidence, which is held to ``most``. told: the loss is known."""
        if self.evidence == 0.0:
            self.since = day
        self.evidence = cumulated(self.evidence, ratio, most, told=told)

    def learn(self, counts: Counts) -> None:
        """Take a day in, but not while it is in doubt."""
        if self.doubted:
            return
        for kind, (others, both) in enumerate(zip(*counts.tolist(), strict=True)):
            if others >= FEW:
                self._learn(kind, others, both)

    def _learn(self, kind: int, others: int, both: int) -> None:
        self.days[kind] += 1
        apart = self._apart(kind, others, both)
        if self.days[kind] >= WARM:
            apart = min(max(apart, -MOST_APART), MOST_APART)
        self.means[kind] += max(SHARE, 1 / self.days[kind]) * apart
        if self.days[kind] > WARM // 2:
            before = self.variances[kind]
            strange = min(apart * apart - self._chance(kind, others), MOST_STRANGE * before)
            self.variances[kind] = max(before + SHARE_NOISE * (strange - before), LEAST_VARIANCE)

    def _apart(self, kind: int, others: int, both: int) -> float:
        return log((both + 0.5) / (others + 1)) - self.means[kind]

    def _chance(self, kind: int, others: int, lost: float = 0.0) -> float:
        """Variance by chance of the logarithm of a share of so many."""
        share = min(exp(self.means[kind] + lost), NEARLY_ALL)
        return (1 - share) / share / (others + 1)


def stored(companions: Companions) -> list[float | list[float]]:
    """As data."""
    return [
        companions.evidence,
        companions.since,
        [*companions.days],
        [*companions.means],
        [*companions.variances],
    ]


def restored(parts: Sequence[object]) -> Companions:
    """From what ``stored`` gave; new where there is nothing."""
    return Companions(*parts)  # type: ignore[arg-type]
