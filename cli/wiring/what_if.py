"""Scores hypothetical learners with the newest day package, for the console's what-if.

The baseline is the median of the course run's cohort, feature by feature; a request replaces some of the
features. The store keeps no learner's features, so the baseline cannot be a real learner. Packages do not
contain a run's start, so the seasonal level is left out.
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
from online_models.design import FeatureBatch
from online_models.explanations import cohort_median, main_reasons
from online_models.feature_wording import FeatureVector
from online_models.scoring import Scorer, scorer_of
from schemas.learning import DayPackage

CACHE_S = 5.0
"""Seconds for which a package is reused before the newest is requested again, as parsing takes a while."""

Bytes = NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class _ScoringPackage:
    """A day package with its scorer and profiles unpacked."""

    package: DayPackage
    scorer: Scorer
    profiles: dict[str, Bytes]
    """Course run → rank of each bin, uint8 [features, bins]."""


class PackageWhatIf:
    """Implements :class:`console.ports.WhatIf`; ``newest`` returns the newest package, if any."""

    def __init__(
        self, newest: Callable[[], DayPackage | None], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._newest = newest
        self._clock = clock
        self._cached: tuple[float, _ScoringPackage | None] = (-CACHE_S, None)

    def estimate(self, course_run: str, features: Mapping[str, float]) -> Estimate:
        """See :meth:`console.ports.WhatIf.estimate`."""
        current = self._current()
        profile = current.profiles.get(course_run)
        base = _middle_codes(profile)
        changed = _with_values(base, features)
        columns = np.stack([base, changed], axis=1)
        ranks = np.full_like(columns, MIDDLE) if profile is None else ranks_of(columns, profile)
        start, end = (
            FeatureBatch.of_run(columns[:, [index]], ranks[:, [index]], course_run, None) for index in (0, 1)
        )
        scorer = current.scorer.with_intercept(current.package.intercepts.get(course_run, 0.0))
        moved = scorer.contributions(start, end)[:, 0]
        before, after = (FeatureVector(columns[:, index], ranks[:, index]) for index in (0, 1))
        probability = [float(scorer.estimate(inputs).lost[0]) for inputs in (start, end)]
        return Estimate(
            probability=probability[1],
            base_probability=probability[0],
            effects=tuple(
                Effect(reason.feature, reason.text, reason.contribution)
                for reason in main_reasons(before, after, moved, 5)
            ),
            model_version=current.package.model.model_version,
            model_state=current.scorer.state,
            day=date(1970, 1, 1) + timedelta(days=current.package.day),
        )

    def _current(self) -> _ScoringPackage:
        loaded_at, current = self._cached
        if current is None or self._clock() - loaded_at >= CACHE_S:
            package = self._newest()
            if package is None:
                raise NoModelError("no day package has come yet")
            if current is None or package.day != current.package.day:
                profiles = {run: unpack(packed) for run, packed in package.cohorts.items()}
                current = _ScoringPackage(package, scorer_of(package.model), profiles)
            self._cached = self._clock(), current
        return current


def _middle_codes(profile: Bytes | None) -> Bytes:
    """The bin of the middle rank of each feature; the lowest bin for a run without a cohort."""
    return np.zeros(len(FEATURES), np.uint8) if profile is None else cohort_median(profile).codes


def _with_values(base: Bytes, features: Mapping[str, float]) -> Bytes:
    """A copy of ``base`` with the bins of the given feature values.

    Raises:
        UnknownFeatureError: a feature is unknown, or its value out of range.
    """
    changed = base.copy()
    for name, value in features.items():
        index = INDEX.get(name)
        if index is None:
            raise UnknownFeatureError(f"features: {name!r} is not known; expected names of docs/features.md")
        low, high = value_range(FEATURES[index])
        if not low <= value <= high:  # nor is NaN
            raise UnknownFeatureError(f"features: {name} is {value:g}; expected {low:g} to {high:g}")
        changed[index] = bins_of(FEATURES[index], np.array([value]))[0]
    return changed
