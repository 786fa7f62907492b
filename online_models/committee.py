"""An ensemble of small networks with different initial weights, averaged to reduce their variance.

The initial weights alone move a network's AUC by up to .003; the mean of four, each of half the width, is as
good as the best of them and costs twice as much to score as one of full width. (Deep ensembles:
Lakshminarayanan, Pritzel and Blundell, NeurIPS 2017.) The mean of the log-odds is again one network, whose
hidden layer concatenates those of all members: so it is scored and explained as one.
"""

from collections.abc import Sequence

import numpy as np
from pydantic import JsonValue

from online_models import network
from online_models.design import FeatureBatch, Floats
from online_models.network import Weights
from schemas.learning import TrainingExample

MEMBERS = 4
"""A power of two: a sum divided by it stays exact."""

Committee = tuple[Weights, ...]


def initial_members() -> Committee:
    """Members that differ in their initial weights."""
    return tuple(network.initial_weights(member) for member in range(MEMBERS))


def learn(committee: Committee, examples: Sequence[TrainingExample]) -> Committee:
    """The members after learning one day's examples; each learns them in an order of its own."""
    return tuple(network.learn(weights, examples, member) for member, weights in enumerate(committee))


def as_one_network(committee: Committee) -> Weights:
    """One network whose log-odds are ``MEMBERS`` times the members' mean."""
    return Weights(
        hidden=np.concatenate([member.hidden for member in committee]),
        hidden_bias=np.concatenate([member.hidden_bias for member in committee]),
        out=np.concatenate([member.out for member in committee], axis=1),
        out_bias=_sum([member.out_bias for member in committee]),
        line=_sum([member.line for member in committee]),
        context=_sum([member.context for member in committee]),
    )


def log_odds(joint: Weights, batch: FeatureBatch) -> Floats:
    """The members' mean log-odds for both heads, [HEADS, n]. joint: from ``as_one_network``."""
    return network.log_odds(joint, batch) / MEMBERS


def contributions(joint: Weights, before: FeatureBatch, after: FeatureBatch) -> Floats:
    """The contribution of each feature to the change of the mean log-odds of being lost, [features, n]."""
    return network.contributions(joint, before, after) / MEMBERS


def state(committee: Committee) -> list[JsonValue]:
    """The members' weights for a snapshot."""
    return [member.state() for member in committee]


def from_state(state: JsonValue) -> Committee:
    """The members of a snapshot.

    Raises:
        ValueError: if it is no list of ``MEMBERS`` networks.
    """
    if not isinstance(state, list) or len(state) != MEMBERS:
        actual = f"{len(state)} of them" if isinstance(state, list) else type(state).__name__
        raise ValueError(f"networks: expected a list of {MEMBERS}, found {actual}")
    return tuple(Weights.from_state(member) for member in state)


def _sum(arrays: Sequence[Floats]) -> Floats:
    total: Floats = np.sum(np.stack(arrays), axis=0)
    return total
