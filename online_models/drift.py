"""Drift detection: whether inputs or losses differ from those that the model learned from.

**Inputs.** The bins of a course run's enrolments on a day are compared with those of the examples that the
model learned from, of the same course at the same tenth of the run: the population stability index of each
feature, Σ (p − q) ln(p / q), less its expectation for samples of that size without a shift. The index of a
run is the mean over the ranked features, smoothed over a week; .1 and more is a shift worth an alarm.

**Losses.** The mean squared error of the estimates that were served for each enrolment whose label became
final (test, then train). Per course these go through River's ADWIN (Bifet and Gavaldà, SDM 2007), which keeps
the longest window without a change and signals when it drops the older part. The window is stored as whole
numbers and ADWIN is rebuilt from it every time: a restart changes nothing.

Labels become final when a run ends, so inputs show a shift within the run, losses after it.
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
from schemas.fields import course_of
from schemas.learning import ModelEvent, TrainingExample
from schemas.packed import PackedArray

GROUPS = 8
"""Groups of bins that are compared: more would measure noise in a cohort of some hundreds."""

PHASES = 10
MIN_ENROLMENTS = 100
"""Enrolments on either side below which their shares are not compared."""

ALARM_OPENS, ALARM_CLOSES = 0.10, 0.05
"""Index at which an alarm opens, and below which it closes; .1 is the usual bound."""

SMOOTHING = 1 / 7

LOSS_STEPS = 255
"""Quantisation of a squared error in [0, 1]."""

MAX_WINDOW = 4_000
"""Enrolments of a course in ADWIN's window, at most."""

ADWIN_DELTA = 0.002
"""ADWIN's delta."""

MONITORED = tuple(index for index, feature in enumerate(FEATURES) if feature.ranked)
_PHASE = INDEX["phase"]

Counts = NDArray[np.int64]


@dataclass(slots=True)
class DriftMonitor:
    """Drift detectors: counts of the inputs learned and losses by course, smoothed index and alarm by run."""

    learned: dict[str, Counts] = field(default_factory=dict)
    """[PHASES, features, GROUPS]"""
    losses: dict[str, NDArray[np.uint8]] = field(default_factory=dict)
    indices: dict[str, float] = field(default_factory=dict)
    shifted: set[str] = field(default_factory=set)
    by_feature: dict[str, float] = field(default_factory=dict)
    """The day's index of each monitored feature, the mean over runs that have one; not part of the state."""

    def compare_inputs(self, day: int, cohorts: Mapping[str, Histogram]) -> list[ModelEvent]:
        """Compare a day's cohorts with the inputs learned; an event for each alarm that opens or closes."""
        for run in self.indices.keys() - cohorts.keys():
            del self.indices[run]
            self.shifted.discard(run)
        events, compared = [], []
        for run, cohort in cohorts.items():
            indices = self._by_feature(run, cohort)
            if indices is None:
                continue
            compared.append(indices)
            previous = self.indices.get(run, 0.0)
            self.indices[run] = index = previous + SMOOTHING * (float(indices.mean()) - previous)
            if run not in self.shifted and index >= ALARM_OPENS:
                self.shifted.add(run)
                events.append(ModelEvent(day=day, what="inputs_shifted", of=run, value=round(index, 6)))
            elif run in self.shifted and index < ALARM_CLOSES:
                self.shifted.discard(run)
                events.append(ModelEvent(day=day, what="inputs_settled", of=run, value=round(index, 6)))
        means = np.mean(compared, axis=0).tolist() if compared else []
        self.by_feature = {FEATURES[index].name: mean for index, mean in zip(MONITORED, means, strict=False)}
        return events

    def _by_feature(self, run: str, cohort: Histogram) -> NDArray[np.float64] | None:
        """The index of each monitored feature, at least 0; None where there are too few enrolments."""
        learned = self.learned.get(course_of(run))
        if learned is None:
            return None
        reference = learned[_phase_index(phase_of(int(cohort[_PHASE].argmax())))][list(MONITORED)]
        current = _group_bins(cohort)[list(MONITORED)]
        sizes = float(current[0].sum()), float(reference[0].sum())
        if min(sizes) < MIN_ENROLMENTS:
            return None
        return np.maximum(population_stability(current, reference), 0.0)

    def update(self, day: int, examples: Sequence[TrainingExample]) -> list[ModelEvent]:
        """Add examples before the model learns from them; an event for each course whose loss changed."""
        events = []
        for course, course_examples in _group_by_course(examples).items():
            losses = squared_errors_by_enrolment(course_examples)
            if len(losses):
                window, change = _update_window(self.losses.get(course, np.empty(0, np.uint8)), losses)
                self.losses[course] = window
                if change is not None:
                    kind = "loss_rose" if change > 0 else "loss_fell"
                    events.append(ModelEvent(day=day, what=kind, of=course, value=round(change, 6)))
            self._count(course, course_examples)
        return events

    def _count(self, course: str, examples: Sequence[TrainingExample]) -> None:
        codes = np.frombuffer(b"".join(example.codes for example in examples), np.uint8).reshape(
            -1, len(FEATURES)
        )
        counts = self.learned.setdefault(course, np.zeros((PHASES, len(FEATURES), GROUPS), np.int64))
        phase_indexes = [_phase_index(phase_of(code)) for code in codes[:, _PHASE].tolist()]
        features = np.arange(len(FEATURES))
        np.add.at(counts, (np.array(phase_indexes)[:, None], features[None], codes // (BINS // GROUPS)), 1)

    def metrics(self) -> dict[str, float]:
        """The index of every run that has one, and the day's index of every feature."""
        by_metric = {"input_shift": self.indices, "feature_shift": self.by_feature}
        return {
            f"{metric}/{name}": round(index, 6)
            for metric, indices in by_metric.items()
            for name, index in sorted(indices.items())
        }

    def state(self) -> dict[str, JsonValue]:
        """The state for a day package."""
        return {
            "learned": {
                course: pack(counts.reshape(PHASES, -1).astype(np.int32)).model_dump(mode="json")
                for course, counts in sorted(self.learned.items())
            },
            "losses": {
                course: pack(window).model_dump(mode="json") for course, window in sorted(self.losses.items())
            },
            "indices": dict(sorted(self.indices.items())),
            "shifted": [*sorted(self.shifted)],
        }

    @classmethod
    def from_state(cls, state: Mapping[str, JsonValue]) -> "DriftMonitor":
        """The detectors as they were at ``state``; new ones where that is empty.

        Raises:
            ValueError: if it is no state.
        """
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
            {course: _unpack(packed).astype(np.int64).reshape(shape) for course, packed in learned.items()},
            {course: _unpack(packed) for course, packed in losses.items()},
            {run: float(str(index)) for run, index in indices.items()},
            {str(run) for run in shifted} if isinstance(shifted, list) else set(),
        )


def population_stability(current: Counts, reference: Counts) -> NDArray[np.float64]:
    """The population stability index of each feature less its expectation without a shift, [features].

    current, reference: int64 [features, groups]. Half an enrolment is added to every group.
    """
    shares = [(counts + 0.5) / (counts + 0.5).sum(axis=1, keepdims=True) for counts in (current, reference)]
    index = ((shares[0] - shares[1]) * np.log(shares[0] / shares[1])).sum(axis=1)
    occupied = ((current + reference) > 0).sum(axis=1)
    chance = (occupied - 1) * (1 / current.sum(axis=1) + 1 / reference.sum(axis=1))
    corrected: NDArray[np.float64] = index - chance
    return corrected


def squared_errors_by_enrolment(examples: Iterable[TrainingExample]) -> NDArray[np.uint8]:
    """The mean squared error of each enrolment that a model served, in ``LOSS_STEPS``, uint8 [enrolments]."""
    sums: dict[tuple[str, str], list[float]] = {}
    for example in examples:
        if example.served:
            error = (example.label - example.probability) ** 2
            sums.setdefault((example.enrolment, example.course_run), []).append(error)
    return np.array([round(LOSS_STEPS * sum(errors) / len(errors)) for errors in sums.values()], np.uint8)


def _update_window(
    previous: NDArray[np.uint8], losses: NDArray[np.uint8]
) -> tuple[NDArray[np.uint8], float | None]:
    """The window after new losses, and the change of their mean if ADWIN detects one, else None."""
    window = np.concatenate([previous, losses])[-MAX_WINDOW:]
    adwin: Any = ADWIN(delta=ADWIN_DELTA, clock=1)  # type: ignore[no-untyped-call,unused-ignore]
    changed = False
    for index, loss in enumerate((window / LOSS_STEPS).tolist()):
        adwin.update(loss)
        changed |= adwin.drift_detected and index >= len(window) - len(losses)
    if not changed:
        return window, None
    recent = window[-max(int(adwin.width), 1) :]
    return recent, float(recent.mean() - window[: len(window) - len(recent)].mean()) / LOSS_STEPS


def _group_bins(cohort: Histogram) -> Counts:
    groups: Counts = cohort.astype(np.int64).reshape(len(FEATURES), GROUPS, BINS // GROUPS).sum(axis=2)
    return groups


def _phase_index(phase: float) -> int:
    return min(max(int(phase * PHASES), 0), PHASES - 1)


def _group_by_course(examples: Iterable[TrainingExample]) -> dict[str, list[TrainingExample]]:
    by_course: dict[str, list[TrainingExample]] = {}
    for example in examples:
        by_course.setdefault(course_of(example.course_run), []).append(example)
    return dict(sorted(by_course.items()))


def _unpack(packed: JsonValue) -> NDArray[np.uint8]:
    return unpack(PackedArray.model_validate(packed))
