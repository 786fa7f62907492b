"""Scores described learners with the newest day package: what the console's what-if asks.

The learner to start from is the middle of the course run's cohort, feature by feature; what is asked
replaces some of them. The store keeps nobody's features, so a real learner cannot be the start. Packages
do not say when a run began, so the level of its season is left out.
"""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np
from numpy.typing import NDArray

from console.ports import Effect, Estimate, NoModelError, UnknownFeatureError
from features.bins import bins_of, value_range
from features.catalogue import FEATURES, INDEX
from features.packed_arrays import unpack
from online_models.cohorts import MIDDLE, ranks_of
from online_models.design import Seen
from online_models.explanations import main_reasons, middle_of
from online_models.feature_wording import View
from online_models.scoring import Scorer, scorer_of
from schemas.learning import DayPackage

FRESH_S = 5.0
"""How long a package is taken for the newest before it is asked for again: parsing one takes a while."""

Bytes = NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class _Ready:
    """A package, ready to score with."""

    package: DayPackage
    scorer: Scorer
    profiles: dict[str, Bytes]
    """Course run → rank of each bin, uint8 [features, bins]."""


class PackageWhatIf:
    """See :class:`console.ports.WhatIf`. ``newest`` gives the newest day package, if there is one."""

    def __init__(
        self, newest: Callable[[], DayPackage | None], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._newest = newest
        self._clock = clock
        self._kept: tuple[float, _Ready | None] = (-FRESH_S, None)

    def estimate(self, course_run: str, features: Mapping[str, float]) -> Estimate:
        """See :meth:`console.ports.WhatIf.estimate`."""
        ready = self._ready()
        profile = ready.profiles.get(course_run)
        base = _middle(profile)
        asked = _replaced(base, features)
        both = np.stack([base, asked], axis=1)
        ranks = np.full_like(both, MIDDLE) if profile is None else ranks_of(both, profile)
        start, then = (Seen.of_run(both[:, [at]], ranks[:, [at]], course_run, None) for at in (0, 1))
        scorer = ready.scorer.at(ready.package.intercepts.get(course_run, 0.0))
        moved = scorer.changes(start, then)[:, 0]
        before, after = (View(both[:, at], ranks[:, at]) for at in (0, 1))
        probability = [float(scorer.estimate(seen).lost[0]) for seen in (start, then)]
        return Estimate(
            probability=probability[1],
            base_probability=probability[0],
            effects=tuple(
                Effect(one.feature, one.text, one.contribution)
                for one in main_reasons(before, after, moved, 5)
            ),
            model_version=ready.package.model.model_version,
            model_state=ready.scorer.state,
            day=date(1970, 1, 1) + timedelta(days=ready.package.day),
        )

    def _ready(self) -> _Ready:
        at, ready = self._kept
        if ready is None or self._clock() - at >= FRESH_S:
            package = self._newest()
            if package is None:
                raise NoModelError("no day package has come yet")
            if ready is None or package.day != ready.package.day:
                profiles = {run: unpack(packed) for run, packed in package.cohorts.items()}
                ready = _Ready(package, scorer_of(package.model), profiles)
            self._kept = self._clock(), ready
        return ready


def _middle(profile: Bytes | None) -> Bytes:
    """The bin of the middle rank of each feature; the lowest bin where the run has no cohort yet."""
    return np.zeros(len(FEATURES), np.uint8) if profile is None else middle_of(profile).codes


def _replaced(base: Bytes, features: Mapping[str, float]) -> Bytes:
    """``base`` with some features by their values."""
    asked = base.copy()
    for name, value in features.items():
        place = INDEX.get(name)
        if place is None:
            raise UnknownFeatureError(f"features: {name!r} is not known; expected names of docs/features.md")
        low, high = value_range(FEATURES[place])
        if not low <= value <= high:  # nor is NaN
            raise UnknownFeatureError(f"features: {name} is {value:g}; expected {low:g} to {high:g}")
        asked[place] = bins_of(FEATURES[place], np.array([value]))[0]
    return asked
