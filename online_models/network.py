"""A small neural network over bins and cohort ranks: one hidden layer, two estimates.

It learns what the additive model cannot say: that a missed deadline means more late in a course than
early, that silence means less after good scores. Heads: P(lost), and P(exit within ``EXIT_DAYS``).
Both share the hidden layer, and each has a straight line from the inputs past it.

**Learning** is Adam (Kingma and Ba, ICLR 2015) on mini-batches, a few turns over the examples of one
day. Outcomes come in bulk, when a run ends; memory is bounded by that day's examples, and nothing is
kept of them. Adam starts anew every day, so that the weights are all there is to a snapshot.

**Scoring is exact.** Inputs and weights are whole multiples of powers of two, small enough that every
sum of their products is a number that float64 holds without rounding. So an estimate is the same in
whatever order a matrix product adds up, whoever else is estimated with it, on any machine.
"""

from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray
from pydantic import JsonValue

from features.catalogue import BINS, FEATURES
from features.packed_arrays import pack, unpack
from online_models.design import (
    CONTEXT,
    CONTEXT_WEIGHT,
    COURSES,
    RANKED,
    RANKS,
    TERMS,
    Floats,
    Seen,
    course_place,
)
from online_models.labels import mix
from schemas.learning import TrainingExample
from schemas.packed import PackedArray

HIDDEN = 16
"""Of one member of the ``committee``: four of 16 are as good as three of 32, at two thirds of the cost."""

LOST, EXITS = range(2)
HEADS = 2

RATE = 1e-3
BATCH = 32
PASSES = 3
"""Turns over a day's examples. One costs .005 of AUC, five won nothing."""

FULL_DAY = 1000
"""Examples from which on a day learns at the full rate: a late result should not move all weights."""

GRID = 2.0**-20
LARGEST = 8.0
"""Weights are multiples of GRID below LARGEST, which float32 holds: 23 bits. Inputs have 9, a hundred
of them add 7: 39 of the 53 that are exact."""

HIDDEN_GRID = 2.0**-12
"""Hidden values are rounded to it and lie below 2^11: 23 bits, with weights and the 64 of all members 52."""


@dataclass(frozen=True, slots=True)
class Weights:
    """All numbers of a network."""

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
        """As data: float32 holds them exactly."""
        return {
            field.name: pack(getattr(self, field.name).astype(np.float32)).model_dump(mode="json")
            for field in fields(self)
        }

    @classmethod
    def from_state(cls, state: JsonValue) -> "Weights":
        """Raises ValueError where it is something else."""
        if not isinstance(state, dict):
            raise ValueError(f"network: expected an object, got {type(state).__name__}")
        return cls(**{name: _read(name, state.get(name), shape) for name, shape in SHAPES.items()})


SHAPES: dict[str, tuple[int, ...]] = {
    "hidden": (HIDDEN, TERMS),
    "hidden_bias": (HIDDEN,),
    "out": (HEADS, HIDDEN),
    "out_bias": (HEADS,),
    "line": (HEADS, TERMS),
    "context": (HEADS, CONTEXT),
}


def _read(name: str, state: JsonValue, shape: tuple[int, ...]) -> Floats:
    found = unpack(PackedArray.model_validate(state)).astype(np.float64)
    if found.shape != shape:
        raise ValueError(f"network: {name} has shape {found.shape}, expected {shape}")
    if not np.array_equal(found, _on_grid(found)):
        raise ValueError(f"network: {name} must be multiples of {GRID} of at most {LARGEST}")
    return found


def _on_grid(numbers: Floats) -> Floats:
    """NaN becomes 0, so that it does not equal itself."""
    held: Floats = np.clip(np.nan_to_num(np.rint(numbers / GRID) * GRID), -LARGEST, LARGEST)
    return held


def beginning(member: int = 0) -> Weights:
    """Small random weights, always the same for a member; heads and lines that say nothing yet."""
    draw = np.random.default_rng(member)
    return Weights(
        hidden=_on_grid(draw.normal(0, TERMS**-0.5, SHAPES["hidden"])),
        hidden_bias=np.zeros(SHAPES["hidden_bias"]),
        out=_on_grid(draw.normal(0, 0.3 * HIDDEN**-0.5, SHAPES["out"])),
        out_bias=np.zeros(SHAPES["out_bias"]),
        line=np.zeros(SHAPES["line"]),
        context=np.zeros(SHAPES["context"]),
    )


def positions(seen: Seen) -> Floats:
    """Inputs: where bins and ranks lie between −1 and 1, exactly, [TERMS, n]."""
    count = len(FEATURES)
    found = np.empty((TERMS, seen.codes.shape[1]))
    found[:count] = seen.codes
    found[:count] = (2 * found[:count] - (BINS - 1)) / BINS
    found[count:] = seen.ranks[list(RANKED)]
    found[count:] = (2 * found[count:] - (RANKS - 1)) / RANKS
    return found


def log_odds(weights: Weights, seen: Seen) -> Floats:
    """Of both heads, [HEADS, n]."""
    inputs = positions(seen)
    heads = _heads(weights, weights.hidden @ inputs, weights.line @ inputs)
    for places in seen.context:
        heads += CONTEXT_WEIGHT * weights.context.take(places, axis=1)
    return heads


def _heads(weights: Weights, hidden: Floats, line: Floats) -> Floats:
    """From what reaches hidden layer and heads, [HIDDEN, …] and [HEADS, …], to log-odds [HEADS, …]."""
    extra = (1,) * (hidden.ndim - 1)
    active = np.maximum(hidden + weights.hidden_bias.reshape(-1, *extra), 0)
    active = np.minimum(np.rint(active / HIDDEN_GRID) * HIDDEN_GRID, 2.0**11 - 1)
    heads: Floats = np.tensordot(weights.out, active, 1) + line + weights.out_bias.reshape(-1, *extra)
    return heads


def changes(weights: Weights, before: Seen, after: Seen) -> Floats:
    """What each feature contributes to the change of the log-odds of being lost, [features, n].

    Features move from before to after one at
    a time, and each is given what the log-odds moved by then: in the catalogue's order and in its
    reverse, averaged. That is a Shapley value over these two orders (Castro, Gómez and Tejada, Computers
    & Operations Research 36, 2009; two opposite orders: Mitchell et al., JMLR 23, 2022): parts add up to
    the change whatever the network is, and what two features say together is shared between them.
    """
    start, end = positions(before), positions(after)
    moved = end - start
    forward = _walk(weights, start, moved)
    backward = -_walk(weights, end, -moved)
    return (forward + backward) / 2


def _walk(weights: Weights, start: Floats, moved: Floats) -> Floats:
    """What the log-odds of being lost move by with each feature's step in turn, [features, n]."""
    hidden = _by_feature(weights.hidden[:, :, None] * moved).cumsum(axis=1)
    line = _by_feature(weights.line[:, :, None] * moved).cumsum(axis=1)
    at = np.concatenate([np.zeros_like(hidden[:, :1]), hidden], axis=1)
    lines = np.concatenate([np.zeros_like(line[:, :1]), line], axis=1)
    heads = _heads(
        weights,
        at + (weights.hidden @ start)[:, None],
        lines + (weights.line @ start)[:, None],
    )
    walked: Floats = np.diff(heads[LOST], axis=0)
    return walked


def _by_feature(terms: Floats) -> Floats:
    """[k, TERMS, n] → [k, features, n]: a feature's bin and rank move together."""
    found = terms[:, : len(FEATURES)].copy()
    found[:, list(RANKED)] += terms[:, len(FEATURES) :]
    return found


def learn(weights: Weights, examples: Sequence[TrainingExample], member: int = 0) -> Weights:
    """The weights after one day's examples, on their grid again; each member has its own order of them."""
    if not examples:
        return weights
    seen = seen_in(examples)
    inputs, context = np.ascontiguousarray(positions(seen).T), _one_hot(seen.context)
    labels = np.array([(example.label, example.exits) for example in examples], np.float64)
    counts = np.array([example.weight for example in examples])[:, None]
    adam = _Adam(weights, RATE * min(1.0, len(examples) / FULL_DAY))
    for turn in range(PASSES):
        order = _order(len(examples), member * PASSES + turn)
        for start in range(0, len(order), BATCH):
            some = order[start : start + BATCH]
            adam.step(inputs[some], context[some], labels[some], counts[some])
    return Weights(**{name: _on_grid(array) for name, array in adam.weights.items()})


def _order(count: int, turn: int) -> NDArray[np.intp]:
    """A shuffle of a day's examples, another one each turn; no library's generator decides it."""
    numbers = np.arange(count, dtype=np.uint64) + np.uint64(turn << 32)
    return np.argsort(mix(numbers), kind="stable")


def seen_in(examples: Sequence[TrainingExample]) -> Seen:
    """Bins and ranks of examples."""
    shape = (len(examples), len(FEATURES))
    codes = np.frombuffer(b"".join(example.codes for example in examples), np.uint8).reshape(shape)
    ranks = np.frombuffer(b"".join(example.ranks for example in examples), np.uint8).reshape(shape)
    context = [(course_place(example.course_run), COURSES + example.season) for example in examples]
    return Seen(codes.T, ranks.T, np.array(context).T)


def _one_hot(context: NDArray[np.intp]) -> Floats:
    """The context's inputs, [2, n] → [n, CONTEXT]."""
    found = np.zeros((context.shape[1], CONTEXT))
    for places in context:
        found[np.arange(len(found)), places] = CONTEXT_WEIGHT
    return found


class _Adam:
    """A day's optimiser."""

    def __init__(self, weights: Weights, rate: float) -> None:
        self.weights = {name: getattr(weights, name).copy() for name in SHAPES}
        self._rate = rate
        self._means = {name: np.zeros(shape) for name, shape in SHAPES.items()}
        self._squares = {name: np.zeros(shape) for name, shape in SHAPES.items()}
        self._steps = 0

    def step(self, inputs: Floats, context: Floats, labels: Floats, counts: Floats) -> None:
        """One mini-batch: [k, TERMS], [k, CONTEXT], [k, HEADS], [k, 1]."""
        self._steps += 1
        rate = self._rate * (1 - 0.999**self._steps) ** 0.5 / (1 - 0.9**self._steps)
        for name, gradient in self._gradients(inputs, context, labels, counts).items():
            mean, square = self._means[name], self._squares[name]
            mean += 0.1 * (gradient - mean)
            square += 0.001 * (gradient * gradient - square)
            self.weights[name] -= rate * mean / (np.sqrt(square) + 1e-8)

    def _gradients(
        self, inputs: Floats, context: Floats, labels: Floats, counts: Floats
    ) -> dict[str, Floats]:
        """Of the mean cross-entropy of both heads."""
        now = self.weights
        active = np.maximum(inputs @ now["hidden"].T + now["hidden_bias"], 0)
        said = active @ now["out"].T + inputs @ now["line"].T + context @ now["context"].T + now["out_bias"]
        wrong = (1 / (1 + np.exp(-np.clip(said, -30, 30))) - labels) * counts / len(inputs)
        back = (wrong @ now["out"]) * (active > 0)
        return {
            "hidden": back.T @ inputs,
            "hidden_bias": back.sum(axis=0),
            "out": wrong.T @ active,
            "out_bias": wrong.sum(axis=0),
            "line": wrong.T @ inputs,
            "context": wrong.T @ context,
        }
