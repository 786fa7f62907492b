"""Drift: whether what the model is given, or how well it does, is no longer what it learned from.

**Inputs.** The bins of a course run's enrolments on a day are compared with those of the examples that the
model learned from, of the same course at the same tenth of the run: the population stability index of each
feature, Σ (p − q) ln(p / q), less what chance alone would give samples of that size. The figure of a run is
the mean over the ranked features, smoothed over a week; .1 and more is a shift that somebody should see.

**Losses.** Of every enrolment whose outcome became certain: the mean squared error of the estimates that
were served to it (test, then train). Per course these go through River's ADWIN (Bifet and Gavaldà, SDM
2007), which keeps the longest window in which nothing changed and says when it had to drop the older part.
The window is kept as whole numbers and ADWIN is rebuilt from it every time: a restart changes nothing.

Outcomes become certain when a run ends, so inputs tell of a shift within the run, losses after it.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import JsonValue
from river.drift import ADWIN

from features.catalogue import BINS, FEATURES, INDEX
from features.packed_arrays import pack, unpack
from online_models.cohorts import Histogram, phase_of
from schemas.learning import ModelEvent, TrainingExample
from schemas.packed import PackedArray

GROUPS = 8
"""Bins are compared in that many groups: more would measure chance in a cohort of some hundreds."""

PHASES = 10
ENOUGH = 100
"""Enrolments on either side before their shares say anything."""

SHIFTED, SETTLED = 0.10, 0.05
"""Index at which an alarm opens, and below which it closes; .1 is the usual bound."""

WEEK = 1 / 7

STEPS = 255
"""A squared error in [0, 1] is kept in that many steps."""

LONGEST = 4_000
"""Enrolments of a course that ADWIN looks back on at most."""

CONFIDENCE = 0.002
"""ADWIN's delta."""

WATCHED = tuple(place for place, feature in enumerate(FEATURES) if feature.ranked)
_PHASE = INDEX["phase"]

Counts = NDArray[np.int64]


@dataclass(slots=True)
class Drift:
    """What was learned from, and how it went; by course. Runs: the smoothed index and whether it is high."""

    learned: dict[str, Counts] = field(default_factory=dict)
    """[PHASES, features, GROUPS]"""
    losses: dict[str, NDArray[np.uint8]] = field(default_factory=dict)
    indices: dict[str, float] = field(default_factory=dict)
    shifted: set[str] = field(default_factory=set)
    by_feature: dict[str, float] = field(default_factory=dict)
    """Of the day at hand, and not kept: each watched feature's index, the mean over runs that have one."""

    def inputs(self, day: int, cohorts: Mapping[str, Histogram]) -> list[ModelEvent]:
        """Compare a day's cohorts with what was learned; runs whose alarm opened or closed."""
        for run in self.indices.keys() - cohorts.keys():
            del self.indices[run]
            self.shifted.discard(run)
        events, compared = [], []
        for run, cohort in cohorts.items():
            found = self._by_feature(run, cohort)
            if found is None:
                continue
            compared.append(found)
            before = self.indices.get(run, 0.0)
            self.indices[run] = index = before + WEEK * (float(found.mean()) - before)
            if run not in self.shifted and index >= SHIFTED:
                self.shifted.add(run)
                events.append(ModelEvent(day=day, what="inputs_shifted", of=run, value=round(index, 6)))
            elif run in self.shifted and index < SETTLED:
                self.shifted.discard(run)
                events.append(ModelEvent(day=day, what="inputs_settled", of=run, value=round(index, 6)))
        means = np.mean(compared, axis=0).tolist() if compared else []
        self.by_feature = {FEATURES[place].name: mean for place, mean in zip(WATCHED, means, strict=False)}
        return events

    def _by_feature(self, run: str, cohort: Histogram) -> NDArray[np.float64] | None:
        """The index of each watched feature, none below 0; None where too little is known."""
        learned = self.learned.get(course_of(run))
        if learned is None:
            return None
        reference = learned[_tenth(phase_of(int(cohort[_PHASE].argmax())))][list(WATCHED)]
        present = _grouped(cohort)[list(WATCHED)]
        sizes = float(present[0].sum()), float(reference[0].sum())
        if min(sizes) < ENOUGH:
            return None
        return np.maximum(stability(present, reference), 0.0)

    def take(self, day: int, examples: Sequence[TrainingExample]) -> list[ModelEvent]:
        """Take examples in before they are learned from; courses whose loss changed."""
        events = []
        for course, own in _by_course(examples).items():
            losses = squared_errors(own)
            if len(losses):
                kept, worse = _watch(self.losses.get(course, np.empty(0, np.uint8)), losses)
                self.losses[course] = kept
                if worse is not None:
                    what = "loss_rose" if worse > 0 else "loss_fell"
                    events.append(ModelEvent(day=day, what=what, of=course, value=round(worse, 6)))
            self._count(course, own)
        return events

    def _count(self, course: str, examples: Sequence[TrainingExample]) -> None:
        codes = np.frombuffer(b"".join(one.codes for one in examples), np.uint8).reshape(-1, len(FEATURES))
        counts = self.learned.setdefault(course, np.zeros((PHASES, len(FEATURES), GROUPS), np.int64))
        tenths = [_tenth(phase_of(code)) for code in codes[:, _PHASE].tolist()]
        places = np.arange(len(FEATURES))
        np.add.at(counts, (np.array(tenths)[:, None], places[None], codes // (BINS // GROUPS)), 1)

    def figures(self) -> dict[str, float]:
        """The index of every run that has one, and today's of every feature."""
        of = {"input_shift": self.indices, "feature_shift": self.by_feature}
        return {
            f"{what}/{name}": round(index, 6)
            for what, indices in of.items()
            for name, index in sorted(indices.items())
        }

    def state(self) -> dict[str, JsonValue]:
        """As data."""
        return {
            "learned": {
                course: pack(counts.reshape(PHASES, -1).astype(np.int32)).model_dump(mode="json")
                for course, counts in sorted(self.learned.items())
            },
            "losses": {
                course: pack(kept).model_dump(mode="json") for course, kept in sorted(self.losses.items())
            },
            "indices": dict(sorted(self.indices.items())),
            "shifted": [*sorted(self.shifted)],
        }

    @classmethod
    def from_state(cls, state: Mapping[str, JsonValue]) -> "Drift":
        """Go on from ``state``. Raises ValueError where it is not one."""
        if not state:
            return cls()
        parts = {name: state.get(name) for name in ("learned", "losses", "indices")}
        for name, part in parts.items():
            if not isinstance(part, dict):
                raise ValueError(f"drift: {name} is {type(part).__name__}, expected an object")
        shape = (PHASES, len(FEATURES), GROUPS)
        learned, losses, indices = (dict(part) for part in parts.values() if isinstance(part, dict))
        shifted = state.get("shifted")
        return cls(
            {course: _unpacked(one).astype(np.int64).reshape(shape) for course, one in learned.items()},
            {course: _unpacked(one) for course, one in losses.items()},
            {run: float(str(index)) for run, index in indices.items()},
            {str(run) for run in shifted} if isinstance(shifted, list) else set(),
        )


def course_of(run: str) -> str:
    """The course of a run, by the convention of its name."""
    return run.partition("/")[0]


def stability(present: Counts, reference: Counts) -> NDArray[np.float64]:
    """The population stability index of each feature less its expectation by chance, [features].

    Counts: int64 [features, groups]. Half an enrolment is added to every group.
    """
    shares = [(counts + 0.5) / (counts + 0.5).sum(axis=1, keepdims=True) for counts in (present, reference)]
    index = ((shares[0] - shares[1]) * np.log(shares[0] / shares[1])).sum(axis=1)
    occupied = ((present + reference) > 0).sum(axis=1)
    chance = (occupied - 1) * (1 / present.sum(axis=1) + 1 / reference.sum(axis=1))
    found: NDArray[np.float64] = index - chance
    return found


def squared_errors(examples: Iterable[TrainingExample]) -> NDArray[np.uint8]:
    """Of each enrolment that a model served: the mean over its examples, in ``STEPS``, in their order."""
    sums: dict[tuple[str, str], list[float]] = {}
    for example in examples:
        if example.served:
            error = (example.label - example.probability) ** 2
            sums.setdefault((example.enrolment, example.course_run), []).append(error)
    return np.array([round(STEPS * sum(errors) / len(errors)) for errors in sums.values()], np.uint8)


def _watch(kept: NDArray[np.uint8], new: NDArray[np.uint8]) -> tuple[NDArray[np.uint8], float | None]:
    """The window after new losses, and by how much they changed where ADWIN says that they did."""
    window = np.concatenate([kept, new])[-LONGEST:]
    adwin: Any = ADWIN(delta=CONFIDENCE, clock=1)  # type: ignore[no-untyped-call,unused-ignore]
    changed = False
    for place, loss in enumerate((window / STEPS).tolist()):
        adwin.update(loss)
        changed |= adwin.drift_detected and place >= len(window) - len(new)
    if not changed:
        return window, None
    recent = window[-max(int(adwin.width), 1) :]
    return recent, float(recent.mean() - window[: len(window) - len(recent)].mean()) / STEPS


def _grouped(cohort: Histogram) -> Counts:
    found: Counts = cohort.astype(np.int64).reshape(len(FEATURES), GROUPS, BINS // GROUPS).sum(axis=2)
    return found


def _tenth(phase: float) -> int:
    return min(max(int(phase * PHASES), 0), PHASES - 1)


def _by_course(examples: Iterable[TrainingExample]) -> dict[str, list[TrainingExample]]:
    found: dict[str, list[TrainingExample]] = {}
    for example in examples:
        found.setdefault(course_of(example.course_run), []).append(example)
    return dict(sorted(found.items()))


def _unpacked(packed: JsonValue) -> NDArray[np.uint8]:
    return unpack(PackedArray.model_validate(packed))
