"""Several small networks that learn the same and are averaged: what one says by the chance of how it began,
the others do not say.

One beginning or another moves a network's AUC by up to .003; the mean of four, each of half the width, is as
good as the best of them and costs twice one of full width to score. (Ensembles of networks that differ only
in where they began: Lakshminarayanan, Pritzel and Blundell, NeurIPS 2017.) The mean of log-odds is again one
network, whose hidden layer is that of all members side by side: so it is scored and explained as one.
"""

from collections.abc import Sequence

import numpy as np
from pydantic import JsonValue

from online_models import network
from online_models.design import Floats, Seen
from online_models.network import Weights
from schemas.learning import TrainingExample

MEMBERS = 4
"""A power of two: a sum divided by it stays exact."""

Committee = tuple[Weights, ...]


def beginning() -> Committee:
    """Members that differ in their first weights."""
    return tuple(network.beginning(member) for member in range(MEMBERS))


def learn(committee: Committee, examples: Sequence[TrainingExample]) -> Committee:
    """Each member after one day's examples; each takes them in an order of its own."""
    return tuple(network.learn(weights, examples, member) for member, weights in enumerate(committee))


def joined(committee: Committee) -> Weights:
    """One network that says ``MEMBERS`` times the mean."""
    return Weights(
        hidden=np.concatenate([one.hidden for one in committee]),
        hidden_bias=np.concatenate([one.hidden_bias for one in committee]),
        out=np.concatenate([one.out for one in committee], axis=1),
        out_bias=_sum([one.out_bias for one in committee]),
        line=_sum([one.line for one in committee]),
        context=_sum([one.context for one in committee]),
    )


def log_odds(joint: Weights, seen: Seen) -> Floats:
    """The members' mean, of both heads, [HEADS, n]."""
    return network.log_odds(joint, seen) / MEMBERS


def changes(joint: Weights, before: Seen, after: Seen) -> Floats:
    """What each feature contributes to the change of the mean log-odds of being lost, [features, n]."""
    return network.changes(joint, before, after) / MEMBERS


def state(committee: Committee) -> list[JsonValue]:
    """As data, one member after the other."""
    return [one.state() for one in committee]


def from_state(state: JsonValue) -> Committee:
    """Raises ValueError where it is something else."""
    if not isinstance(state, list) or len(state) != MEMBERS:
        found = f"{len(state)} of them" if isinstance(state, list) else type(state).__name__
        raise ValueError(f"networks: expected a list of {MEMBERS}, found {found}")
    return tuple(Weights.from_state(one) for one in state)


def _sum(arrays: Sequence[Floats]) -> Floats:
    total: Floats = np.sum(np.stack(arrays), axis=0)
    return total
