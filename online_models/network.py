"""A small neural network over bins and cohort ranks: one hidden layer, two estimates.

It learns interactions that the additive expert cannot model: a missed deadline means more late in a
course than early, silence means less after good scores. Heads: P(lost), and P(exit within
``EXIT_DAYS``). Both share the hidden layer, and each has a linear skip connection from the inputs.

**Learning** is Adam (Kingma and Ba, ICLR 2015) on mini-batches, a few epochs over the examples of one
day. Outcomes arrive in bulk, when a run ends; memory is bounded by that day's examples, and they are
not stored. Adam starts anew every day, so a snapshot consists of the weights alone.

**Scoring is exact.** Inputs and weights are whole multiples of powers of two, small enough that every
sum of their products is a number that float64 represents without rounding. So an estimate is the same
for every order of summation in a matrix product, for every batch, on any machine.
"""

from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray
from pydantic import JsonValue
from scipy.special import expit

from features.catalogue import BINS, FEATURES
from features.packed_arrays import pack, unpack
from online_models.design import (
    CONTEXT,
    CONTEXT_WEIGHT,
    COURSES,
    RANKED,
    RANKS,
    TERMS,
    FeatureBatch,
    Floats,
    course_bucket,
)
from online_models.labels import splitmix64
from schemas.learning import TrainingExample
from schemas.packed import PackedArray

HIDDEN = 16
"""Of one member of the ``committee``: four of 16 are as good as three of 32, at two thirds of the cost."""

LOST, EXITS = range(2)
HEADS = 2

LEARNING_RATE = 1e-3
BATCH_SIZE = 32
EPOCHS = 3
"""Passes over a day's examples. One costs .005 of AUC, five gained nothing."""

FULL_RATE_EXAMPLES = 1000
"""Examples from which on a day learns at the full rate: a single late result should not move all weights."""

GRID = 2.0**-20
MAX_WEIGHT = 8.0
"""Weights are multiples of GRID below MAX_WEIGHT, exact in float32: 23 bits. Inputs have 9, a sum of a
hundred adds 7: 39 of the 53 bits of a float64."""

HIDDEN_GRID = 2.0**-12
"""Hidden values are rounded to it and lie below 2^11: 23 bits, with weights and the 64 of all members 52."""


@dataclass(frozen=True, slots=True)
class Weights:
    """All parameters of a network."""

    hidden: Floats
    """[HIDDEN, TERMS]"""
    hidden_bias: Floats
    """[HIDDEN]"""
    out: Floats
    """[HEADS, HIDDEN]"""
    out_bias: Floats
    """[HEADS]"""
    line: Floats
    """[HEADS, TERMS], from the inputs straight to the heads"""
    context: Floats
    """[HEADS, CONTEXT], from the context's inputs straight to the heads"""

    def state(self) -> dict[str, JsonValue]:
        """The weights for a snapshot, as packed float32 arrays, which represent them exactly."""
        return {
            field.name: pack(getattr(self, field.name).astype(np.float32)).model_dump(mode="json")
            for field in fields(self)
        }

    @classmethod
    def from_state(cls, state: JsonValue) -> "Weights":
        """The weights of a snapshot.

        Raises:
            ValueError: for another shape, or for values that are not on the grid.
        """
        if not isinstance(state, dict):
            raise ValueError(f"network: expected an object, got {type(state).__name__}")
        return cls(**{name: _parse_array(name, state.get(name), shape) for name, shape in SHAPES.items()})


SHAPES: dict[str, tuple[int, ...]] = {
    "hidden": (HIDDEN, TERMS),
    "hidden_bias": (HIDDEN,),
    "out": (HEADS, HIDDEN),
    "out_bias": (HEADS,),
    "line": (HEADS, TERMS),
    "context": (HEADS, CONTEXT),
}


def _parse_array(name: str, state: JsonValue, shape: tuple[int, ...]) -> Floats:
    array = unpack(PackedArray.model_validate(state)).astype(np.float64)
    if array.shape != shape:
        raise ValueError(f"network: {name} has shape {array.shape}, expected {shape}")
    if not np.array_equal(array, _round_to_grid(array)):
        raise ValueError(f"network: {name} must be multiples of {GRID} of at most {MAX_WEIGHT}")
    return array


def _round_to_grid(numbers: Floats) -> Floats:
    """Round to ``GRID`` and clip. NaN becomes 0, so that it does not equal its rounded value."""
    rounded: Floats = np.clip(np.nan_to_num(np.rint(numbers / GRID) * GRID), -MAX_WEIGHT, MAX_WEIGHT)
    return rounded


def initial_weights(member: int = 0) -> Weights:
    """Small random weights, seeded by the member's number; biases and skip connections are zero."""
    rng = np.random.default_rng(member)
    return Weights(
        hidden=_round_to_grid(rng.normal(0, TERMS**-0.5, SHAPES["hidden"])),
        hidden_bias=np.zeros(SHAPES["hidden_bias"]),
        out=_round_to_grid(rng.normal(0, 0.3 * HIDDEN**-0.5, SHAPES["out"])),
        out_bias=np.zeros(SHAPES["out_bias"]),
        line=np.zeros(SHAPES["line"]),
        context=np.zeros(SHAPES["context"]),
    )


def positions(batch: FeatureBatch) -> Floats:
    """The inputs: positions of bins and ranks between −1 and 1, exact, [TERMS, n]."""
    count = len(FEATURES)
    inputs = np.empty((TERMS, batch.codes.shape[1]))
    inputs[:count] = batch.codes
    inputs[:count] = (2 * inputs[:count] - (BINS - 1)) / BINS
    inputs[count:] = batch.ranks[list(RANKED)]
    inputs[count:] = (2 * inputs[count:] - (RANKS - 1)) / RANKS
    return inputs


def log_odds(weights: Weights, batch: FeatureBatch) -> Floats:
    """Log-odds of both heads, [HEADS, n]."""
    inputs = positions(batch)
    heads = _heads(weights, weights.hidden @ inputs, weights.line @ inputs)
    for context_inputs in batch.context:
        heads += CONTEXT_WEIGHT * weights.context.take(context_inputs, axis=1)
    return heads


def _heads(weights: Weights, hidden: Floats, line: Floats) -> Floats:
    """Log-odds [HEADS, …] from the inputs to hidden layer and heads, [HIDDEN, …] and [HEADS, …]."""
    extra = (1,) * (hidden.ndim - 1)
    active = np.maximum(hidden + weights.hidden_bias.reshape(-1, *extra), 0)
    active = np.minimum(np.rint(active / HIDDEN_GRID) * HIDDEN_GRID, 2.0**11 - 1)
    heads: Floats = np.tensordot(weights.out, active, 1) + line + weights.out_bias.reshape(-1, *extra)
    return heads


def contributions(weights: Weights, before: FeatureBatch, after: FeatureBatch) -> Floats:
    """The contribution of each feature to the change of the log-odds of being lost, [features, n].

    Features change from before to after one at a time, and each is credited with the change of the log-odds
    at its step: in the catalogue's order and in its reverse, averaged. That is a Shapley value over these two
    orders (Castro, Gómez and Tejada, Computers & Operations Research 36, 2009; two opposite orders: Mitchell
    et al., JMLR 23, 2022): contributions add up to the change for every network, and an interaction of two
    features is shared between them.
    """
    start, end = positions(before), positions(after)
    moved = end - start
    forward = _path_contributions(weights, start, moved)
    backward = -_path_contributions(weights, end, -moved)
    return (forward + backward) / 2


def _path_contributions(weights: Weights, start: Floats, moved: Floats) -> Floats:
    """The change of the log-odds of being lost at each feature's step in turn, [features, n]."""
    hidden = _by_feature(weights.hidden[:, :, None] * moved).cumsum(axis=1)
    line = _by_feature(weights.line[:, :, None] * moved).cumsum(axis=1)
    hidden_steps = np.concatenate([np.zeros_like(hidden[:, :1]), hidden], axis=1)
    line_steps = np.concatenate([np.zeros_like(line[:, :1]), line], axis=1)
    heads = _heads(
        weights,
        hidden_steps + (weights.hidden @ start)[:, None],
        line_steps + (weights.line @ start)[:, None],
    )
    contributed: Floats = np.diff(heads[LOST], axis=0)
    return contributed


def _by_feature(terms: Floats) -> Floats:
    """[k, TERMS, n] → [k, features, n]: a feature's bin and rank change together."""
    by_feature = terms[:, : len(FEATURES)].copy()
    by_feature[:, list(RANKED)] += terms[:, len(FEATURES) :]
    return by_feature


def learn(weights: Weights, examples: Sequence[TrainingExample], member: int = 0) -> Weights:
    """The weights after one day's examples, rounded to the grid; the member's number decides the shuffles."""
    if not examples:
        return weights
    batch = example_batch(examples)
    inputs, context = np.ascontiguousarray(positions(batch).T), _one_hot(batch.context)
    labels = np.array([(example.label, example.exits) for example in examples], np.float64)
    sample_weights = np.array([example.weight for example in examples])[:, None]
    adam = _Adam(weights, LEARNING_RATE * min(1.0, len(examples) / FULL_RATE_EXAMPLES))
    for epoch in range(EPOCHS):
        order = _shuffle(len(examples), member * EPOCHS + epoch)
        for start in range(0, len(order), BATCH_SIZE):
            chosen = order[start : start + BATCH_SIZE]
            adam.step(inputs[chosen], context[chosen], labels[chosen], sample_weights[chosen])
    return Weights(**{name: _round_to_grid(array) for name, array in adam.weights.items()})


def _shuffle(count: int, epoch: int) -> NDArray[np.intp]:
    """A shuffle of a day's examples for an epoch; independent of any library's random generator."""
    numbers = np.arange(count, dtype=np.uint64) + np.uint64(epoch << 32)
    return np.argsort(splitmix64(numbers), kind="stable")


def example_batch(examples: Sequence[TrainingExample]) -> FeatureBatch:
    """The inputs of examples, in their order."""
    shape = (len(examples), len(FEATURES))
    codes = np.frombuffer(b"".join(example.codes for example in examples), np.uint8).reshape(shape)
    ranks = np.frombuffer(b"".join(example.ranks for example in examples), np.uint8).reshape(shape)
    context = [(course_bucket(example.course_run), COURSES + example.season) for example in examples]
    return FeatureBatch(codes.T, ranks.T, np.array(context).T)


def _one_hot(context: NDArray[np.intp]) -> Floats:
    """One-hot context inputs, [2, n] → [n, CONTEXT]."""
    one_hot = np.zeros((context.shape[1], CONTEXT))
    for context_inputs in context:
        one_hot[np.arange(len(one_hot)), context_inputs] = CONTEXT_WEIGHT
    return one_hot


class _Adam:
    """The optimiser of one day."""

    def __init__(self, weights: Weights, rate: float) -> None:
        self.weights = {name: getattr(weights, name).copy() for name in SHAPES}
        self._rate = rate
        self._means = {name: np.zeros(shape) for name, shape in SHAPES.items()}
        self._squares = {name: np.zeros(shape) for name, shape in SHAPES.items()}
        self._steps = 0

    def step(self, inputs: Floats, context: Floats, labels: Floats, sample_weights: Floats) -> None:
        """Learn one mini-batch: [k, TERMS], [k, CONTEXT], [k, HEADS], [k, 1]."""
        self._steps += 1
        rate = self._rate * (1 - 0.999**self._steps) ** 0.5 / (1 - 0.9**self._steps)
        for name, gradient in self._gradients(inputs, context, labels, sample_weights).items():
            mean, square = self._means[name], self._squares[name]
            mean += 0.1 * (gradient - mean)
            square += 0.001 * (gradient * gradient - square)
            self.weights[name] -= rate * mean / (np.sqrt(square) + 1e-8)

    def _gradients(
        self, inputs: Floats, context: Floats, labels: Floats, sample_weights: Floats
    ) -> dict[str, Floats]:
        """Gradients of the mean cross-entropy of both heads, by name of the parameter."""
        weights = self.weights
        active = np.maximum(inputs @ weights["hidden"].T + weights["hidden_bias"], 0)
        log_odds = (
            active @ weights["out"].T
            + inputs @ weights["line"].T
            + context @ weights["context"].T
            + weights["out_bias"]
        )
        residuals = (expit(np.clip(log_odds, -30, 30)) - labels) * sample_weights / len(inputs)
        hidden_residuals = (residuals @ weights["out"]) * (active > 0)
        return {
            "hidden": hidden_residuals.T @ inputs,
            "hidden_bias": hidden_residuals.sum(axis=0),
            "out": residuals.T @ active,
            "out_bias": residuals.sum(axis=0),
            "line": residuals.T @ inputs,
            "context": residuals.T @ context,
        }
