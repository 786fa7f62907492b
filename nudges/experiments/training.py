"""Weights nudged learners in training the risk model, so that one saved by a nudge is no false alarm.

The model's question is *who will be lost if nobody does anything*. Of a learner who was nudged after the
estimate, that is not known: who completes may have been saved. Learning such outcomes as they come teaches
that high risks complete after all; the better the nudges work, the less the model would warn. Leaving out
only the saved, or counting them as lost, errs the other way.

The holdout knows the answer. So an example counts by what happened to its enrolment **on its day or after**:

- a nudge was sent: it teaches nothing, and is no alarm that was right or wrong (weight 0);
- a nudge was withheld by the draw: it speaks for the nudged as well, and weighs 1 / the holdout's share;
- neither: it counts as it is.

A nudge before the snapshot's day is part of the learner's history, like anything else that the features
rest on. This is inverse probability of censoring weighting (J. Robins and D. Finkelstein, Biometrics 56,
2000) with being nudged as the censoring, whose probability is exactly known since we drew it; for risk
models under treatment see N. van Geloven et al., European Journal of Epidemiology 35, 2020. Its price is
variance: with a holdout of a tenth, one enrolment speaks for ten. Without a holdout nobody speaks for the
nudged, and the model forgets what becomes of high risks: one more reason for keeping one always.
"""

from dataclasses import dataclass

NEVER = -(2**31)
"""The day of an event that has not happened."""


@dataclass(frozen=True, slots=True)
class NudgeHistory:
    """An enrolment's decisions as training needs them: epoch days of the last ones, and a probability.

    ``sent``: last day on which a nudge was decided; ``withheld``: last day on which the draw withheld one;
    ``holdout_share``: the probability of that, as logged.
    """

    sent: int = NEVER
    withheld: int = NEVER
    holdout_share: float = 1.0


NOT_NUDGED = NudgeHistory()


def untreated_weight(snapshot: int, history: NudgeHistory = NOT_NUDGED) -> float:
    """The weight of a day's snapshot as an untreated example; 0 where it must not be learned from.

    Raises:
        ValueError: the probability of a withheld nudge is not in (0, 1].
    """
    if history.sent >= snapshot:
        return 0.0
    if history.withheld < snapshot:
        return 1.0
    if not 0.0 < history.holdout_share <= 1.0:
        raise ValueError(f"holdout_share is {history.holdout_share}; expected more than 0, up to 1")
    return 1.0 / history.holdout_share
