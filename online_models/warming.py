"""The recency prior: the estimate served while the model warms up, from published statistics.

P(lost) = 1 − P(returns | days silent) × P(not lost | still enrolled at this point of the run).
A learner who does not return is lost; one who does has the base rate of those still enrolled.

In a run without an end, lost is who is not active for a horizon of days, whatever becomes of them later. The
same shares say that too: of those silent for s days, (1 − P(returns | s)) / (1 − P(returns | s + h)) are
silent for another h, since both are silent for good as often. The prior takes the h of four weeks.

The figures are those of the Open University Learning Analytics Dataset (Kuzilek, Hlosta, Zdrahal,
Scientific Data 4:170171, 2017): after 7/14/21/28/42 silent days 94/87/78/67/43 % return;
37.9 % pass, 9.3 % with distinction, 21.6 % fail, 31.2 % withdraw, a quarter of them before the
start and the others on the days below. On its presentations of 2014B, weekly, the prior has an AUC
of .79 (days of silence alone: .75) and an expected calibration error of .10.
"""

import numpy as np
from scipy.special import logit

from features.bins import bin_start
from features.catalogue import BINS, FEATURES, INDEX
from features.compute_coursework import NO_PHASE
from online_models.design import Estimate, FeatureBatch, Floats
from schemas.enrolment import INACTIVE_AFTER_DAYS
from schemas.risk import ModelState

RETURN_SHARES = ((0, 1.0), (7, 0.94), (14, 0.87), (21, 0.78), (28, 0.67), (42, 0.43), (67, 0.0))
"""Days silent → share of learners who return. After 42 the line is extrapolated to zero."""

EXIT_SHARES = (
    (0, 0.021),
    (1, 0.026),
    (4, 0.037),
    (9, 0.056),
    (16, 0.074),
    (24, 0.084),
    (33, 0.087),
    (106, 0.034),
)
"""Days silent → share of learners who leave within the next 21: after long silence most have left already."""

PASSED, FAILED, WITHDRAWN = 0.472, 0.216, 0.312
WITHDRAWN_BEFORE_START = 0.26
WITHDRAWN_BY = (
    (0.0, 0.0),
    (0.032, 0.10),
    (0.068, 0.25),
    (0.264, 0.50),
    (0.548, 0.75),
    (0.732, 0.90),
    (1.0, 1.0),
)
"""Elapsed share of the run → share of the withdrawals after its start: days 8, 17, 66, 137, 183 of 250."""

LIMITS = (0.001, 0.999)
"""Bounds of the prior's probability."""

_PHASE, _SILENCE = INDEX["phase"], INDEX["silence"]


def _interpolate(points: tuple[tuple[float, float], ...], x: float) -> float:
    """Linear interpolation between the points, constant beyond them."""
    xs, ys = np.array(points).T
    return float(np.interp(x, xs, ys))


def base_rate(phase: float) -> float:
    """P(lost) of those still enrolled. phase: the elapsed share of the run, below 0 before its start."""
    if phase < 0:
        return FAILED + WITHDRAWN
    withdrawn_share = _interpolate(WITHDRAWN_BY, phase)
    to_withdraw = WITHDRAWN * (1 - WITHDRAWN_BEFORE_START) * (1 - withdrawn_share)
    return (FAILED + to_withdraw) / (FAILED + to_withdraw + PASSED)


def recency_prior(silence: float, phase: float) -> float:
    """P(lost) after ``silence`` days without activity. phase: ``NO_PHASE`` for a run without an end."""
    if phase <= NO_PHASE:
        return float(np.clip(_silent_on(silence), *LIMITS))
    returning = _interpolate(RETURN_SHARES, silence)
    return float(np.clip(1 - returning * (1 - base_rate(phase)), *LIMITS))


def _silent_on(silence: float) -> float:
    """P(silent for another ``INACTIVE_AFTER_DAYS``) after ``silence`` days without activity."""
    leaving, until_then = (
        1 - _interpolate(RETURN_SHARES, days) for days in (silence, silence + INACTIVE_AFTER_DAYS)
    )
    return leaving / until_then


def _table() -> Floats:
    """The prior by bins of phase and silence, [phase bins, silence bins]."""
    phases = [bin_start(FEATURES[_PHASE], bin_) for bin_ in range(BINS)]
    silences = [bin_start(FEATURES[_SILENCE], bin_) for bin_ in range(BINS)]
    return np.array([[round(recency_prior(silence, phase), 6) for silence in silences] for phase in phases])


_PRIOR = _table()
_LOG_ODDS: Floats = logit(_PRIOR)
_NO_SILENCE = _LOG_ODDS[:, 0]
_EXITS = np.array(
    [round(_interpolate(EXIT_SHARES, bin_start(FEATURES[_SILENCE], bin_)), 6) for bin_ in range(BINS)]
)


class RecencyPrior:
    """A ``Scorer`` that has learned nothing; its state is ``warming_up``."""

    state: ModelState = "warming_up"

    def with_intercept(self, shift: float) -> "RecencyPrior":  # noqa: ARG002  for a model it matters
        """The prior itself: it has no intercept by run."""
        return self

    def estimate(self, batch: FeatureBatch) -> Estimate:
        """Both estimates of n enrolments, from phase and silence alone."""
        phase, silence = batch.codes[_PHASE], batch.codes[_SILENCE]
        return Estimate(_PRIOR[phase, silence], _EXITS[silence])

    def contributions(self, before: FeatureBatch, after: FeatureBatch) -> Floats:
        """The contribution of each feature to the change of the log-odds, [features, n]."""
        return self._contributions(after) - self._contributions(before)

    def _contributions(self, batch: FeatureBatch) -> Floats:
        """The phase contributes the base rate, the silence the rest, [features, n]."""
        parts = np.zeros(batch.codes.shape)
        phase, silence = batch.codes[_PHASE], batch.codes[_SILENCE]
        parts[_PHASE] = _NO_SILENCE[phase]
        parts[_SILENCE] = _LOG_ODDS[phase, silence] - _NO_SILENCE[phase]
        return parts
