"""The trainer: one clock for many partitions. Merges their day reports, learns, answers with day
packages.

What it publishes depends on the events alone. Cohorts are sums of whole numbers; examples are put
into an order of their own, whatever partition they came from; a report that came twice counts once.
The order is a shuffle by hash: in order of event time every run's last days would be learned last
and overwrite what its first weeks taught (that costs .01 of AUC and triples the calibration error).

The contract towards the shell:
- ``receive`` takes every report in the order of its partition; records may repeat. It returns the
  packages that became complete, oldest first; publish them before acknowledging the report.
- After a restart, ``resume`` with the newest published package, then feed the reports again from any
  earlier point: those of published days are ignored.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from data_quality.counts import merge_counts, merge_together
from data_quality.watch import QualityWatch
from features.catalogue import FINGERPRINT
from features.packed_arrays import pack, unpack
from features.ring import HOURS
from features.yardsticks import COUNTED, Counts
from online_models.challenger import Pair
from online_models.cohorts import Histogram, merge, phase, rank_table
from online_models.design import check_example
from online_models.drift import Drift
from online_models.intercepts import Intercepts, check_counts
from online_models.metrics import Progress
from online_models.recommender import Table, learn, merged
from schemas.learning import DayPackage, DayReport, ModelEvent, ModelSnapshot, TrainingExample
from schemas.packed import PackedArray

Parts = dict[int, DayReport]
Whole = TypeVar("Whole", np.int32, np.int64)


@dataclass(slots=True)
class _Partition:
    """What one partition has said about days not yet published."""

    days: dict[int, dict[int, Parts]] = field(default_factory=dict)
    """Parts by day and by how many there are: a report that a crash cut off may come again in other parts."""
    closed: int | None = None
    """The newest day of which all parts came."""

    def take(self, day: int) -> list[DayReport]:
        """The report of a day, no longer kept; none where this partition had nothing to say."""
        found = [parts for count, parts in sorted(self.days.pop(day, {}).items()) if len(parts) == count]
        return list(found[0].values()) if found else []


class Trainer:
    """Waits until every partition has closed a day, then learns from it and publishes its package."""

    def __init__(self, partitions: int, fingerprint: str = FINGERPRINT) -> None:
        """partitions: of the input topic. Raises ValueError for none, or for features that are not ours."""
        if partitions < 1:
            raise ValueError(f"trainer: {partitions} partitions, expected at least 1")
        if fingerprint != FINGERPRINT:
            raise ValueError(f"trainer: features {fingerprint}, this release has {FINGERPRINT}")
        self.published: int | None = None
        self._partitions = [_Partition() for _ in range(partitions)]
        self._models = Pair()
        self._drift = Drift()
        self._progress = Progress()
        self._quality = QualityWatch()
        self._choices: dict[str, NDArray[np.int32]] = {}
        self._next_items: Table = {}
        self._intercepts = Intercepts()

    @classmethod
    def resume(cls, package: DayPackage, partitions: int) -> "Trainer":
        """The trainer as it was after ``package``. Raises ValueError where it was made by another model."""
        found = cls(partitions, package.features)
        found.published = package.day
        found._models = Pair.from_package(package)
        found._drift = Drift.from_state(package.drift)
        found._progress = Progress.from_state(package.model.state.get("progress"))
        found._quality = QualityWatch.from_state(package.quality.rhythm)
        found._choices = {name: unpack(sums) for name, sums in package.choices.items()}
        found._next_items = package.next_items
        found._intercepts = Intercepts(
            {run: unpack(sums) for run, sums in package.leaving.items()},
            {course: unpack(sums) for course, sums in package.left.items()},
        )
        return found

    def receive(self, report: DayReport) -> list[DayPackage]:
        """Take in a part of a report; the packages that are complete with it.

        Raises ValueError for a report that does not fit ours: partition, features, number of its part, or the
        shape of its cohorts and examples. Nothing of it has been taken in then.
        """
        self._check(report)
        if self.published is not None and report.day <= self.published:
            return []
        _check_content(report)
        partition = self._partitions[report.partition]
        parts = partition.days.setdefault(report.day, {}).setdefault(report.parts, {})
        parts.setdefault(report.part, report)
        if len(parts) == report.parts:
            partition.closed = max(
                report.day, partition.closed if partition.closed is not None else report.day
            )
        return [self._publish(day) for day in self._complete()]

    def waiting_for(self) -> list[int]:
        """Partitions that hold back the oldest day that another one has reported."""
        days = [day for partition in self._partitions for day in partition.days]
        if not days:
            return []
        return [number for number, found in enumerate(self._partitions) if not _has_closed(found, min(days))]

    def _check(self, report: DayReport) -> None:
        where = f"day report {report.day} of partition {report.partition}"
        if report.partition >= len(self._partitions):
            raise ValueError(f"{where}: there are {len(self._partitions)} partitions")
        if report.features != FINGERPRINT:
            raise ValueError(f"{where}: features {report.features}, expected {FINGERPRINT}")
        if report.part >= report.parts:
            raise ValueError(f"{where}: part {report.part} of {report.parts}, expected a smaller one")

    def _complete(self) -> list[int]:
        """Reported days that every partition has closed, oldest first."""
        days = sorted({day for partition in self._partitions for day in partition.days})
        found: list[int] = []
        for day in days:
            if not all(_has_closed(partition, day) for partition in self._partitions):
                break
            found.append(day)
        return found

    def _publish(self, day: int) -> DayPackage:
        reports = [report for partition in self._partitions for report in partition.take(day)]
        examples = shuffled(example for report in reports for example in report.examples)
        self._progress.update(examples)
        cohorts = _cohorts(reports)
        events = [*self._drift.take(day, examples), *self._drift.inputs(day, cohorts)]
        promoted = self._models.learn(examples)
        champion, challenger = self._models.snapshots(day)
        if promoted:
            contest = self._models.contest
            events.append(
                ModelEvent(
                    day=day,
                    what="challenger_promoted",
                    of=champion.model_version,
                    value=float(contest.promotions),
                )
            )
        self._add_choices(reports)
        leaving: dict[str, NDArray[np.int64]] = {}
        _add(leaving, (report.leaving for report in reports))
        self._intercepts.take(leaving, cohorts)
        shifts = self._intercepts.shifts()
        days = 1 if self.published is None else day - self.published
        transitions = merged(report.transitions for report in reports)
        self._next_items = learn(self._next_items, transitions, days)
        self.published = day
        counts = merge_counts(source for report in reports for source in report.sources)
        phases = {run: phase(cohort) for run, cohort in cohorts.items()}
        together = merge_together(report.together for report in reports)
        return DayPackage(
            day=day,
            features=FINGERPRINT,
            cohorts={run: pack(rank_table(cohort)) for run, cohort in cohorts.items()},
            deadlines=_deadlines(reports),
            choices={name: pack(self._choices[name]) for name in sorted(self._choices)},
            early=_early(reports),
            intercepts=shifts,
            leaving={run: pack(sums) for run, sums in sorted(self._intercepts.runs.items())},
            left={course: pack(sums) for course, sums in sorted(self._intercepts.courses.items())},
            hours=_hours(reports),
            model=self._with_progress(champion),
            metrics=self._figures(events, shifts),
            next_items=self._next_items,
            quality=self._quality.close(day, counts, phases, together),
            challenger=challenger,
            drift={**self._drift.state(), "contest": self._models.contest.state()},
            events=events,
        )

    def _add_choices(self, reports: Iterable[DayReport]) -> None:
        """Add up what outcomes teach about variants; sums of other inputs than before begin anew."""
        _add(self._choices, (report.choices for report in reports))

    def _with_progress(self, snapshot: ModelSnapshot) -> ModelSnapshot:
        return snapshot.model_copy(update={"state": {**snapshot.state, "progress": self._progress.state()}})

    def _figures(self, events: Iterable[ModelEvent], shifts: dict[str, float]) -> dict[str, float]:
        champion = self._models.champion
        learned = {"examples": float(champion.examples), "positives": float(champion.positives)}
        learned["slope"] = champion.slope.value
        learned |= {f"intercept/{run}": shift for run, shift in shifts.items()}
        told = {f"event/{event.what}/{event.of}": event.value for event in events}
        return (
            learned | self._progress.figures() | self._models.contest.figures() | self._drift.figures() | told
        )


def _early(reports: Iterable[DayReport]) -> dict[str, PackedArray]:
    """What is seen of decisions whose outcome is not known: of today alone, since tomorrow it is more."""
    found: dict[str, NDArray[np.int32]] = {}
    _add(found, (report.early for report in reports))
    return {name: pack(found[name]) for name in sorted(found)}


def _add(sums: dict[str, NDArray[Whole]], told: Iterable[dict[str, PackedArray]]) -> None:
    """Add what reports told to sums by name; those of another shape than before begin anew."""
    for arrays in told:
        for name, packed in arrays.items():
            new, old = unpack(packed), sums.get(name)
            sums[name] = new if old is None or old.shape != new.shape else old + new


def _check_content(report: DayReport) -> None:
    """Now, so that a bad report cannot stop a day half learned."""
    for counts in report.cohorts.values():
        merge([unpack(counts)])
    merge_counts(report.sources)
    merge_together([report.together])
    for counts in report.deadlines.values():
        _check_deadlines(unpack(counts))
    for counts in report.leaving.values():
        check_counts(unpack(counts))
    for sums in (*report.choices.values(), *report.early.values()):
        unpack(sums)
    for hours in report.hours.values():
        if (shape := unpack(hours).shape) != (HOURS,):
            raise ValueError(f"hours of the week have shape {shape}, expected ({HOURS},)")
    for example in report.examples:
        check_example(example.codes, example.ranks)


def _check_deadlines(counts: NDArray[np.generic]) -> None:
    if counts.ndim != 2 or len(counts) != len(COUNTED) or counts.dtype != np.int64:
        raise ValueError(
            f"deadlines have type {counts.dtype} and shape {counts.shape}, expected int64 ({len(COUNTED)}, n)"
        )


def shuffled(examples: Iterable[TrainingExample]) -> list[TrainingExample]:
    """The examples in the order of a hash of what identifies them: any mixture gives the same order."""

    def key(example: TrainingExample) -> tuple[bytes, str, str, int]:
        name = f"{example.enrolment}\0{example.course_run}\0{example.day}"
        return (
            blake2b(name.encode(), digest_size=8).digest(),
            example.enrolment,
            example.course_run,
            example.day,
        )

    return sorted(examples, key=key)


def _has_closed(partition: _Partition, day: int) -> bool:
    """Whether a partition said all it will of ``day``: all its parts, or a later day's and none of it."""
    if partition.closed is None or partition.closed < day:
        return False
    forms = partition.days.get(day)
    return forms is None or any(len(parts) == count for count, parts in forms.items())


def _cohorts(reports: Iterable[DayReport]) -> dict[str, Histogram]:
    """Per course run in order of its name, whatever partition reported it first."""
    histograms: dict[str, list[PackedArray]] = {}
    for report in reports:
        for run, counts in report.cohorts.items():
            histograms.setdefault(run, []).append(counts)
    return {run: merge(unpack(counts) for counts in histograms[run]) for run in sorted(histograms)}


def _deadlines(reports: Iterable[DayReport]) -> dict[str, PackedArray]:
    """What each run's enrolments did with its deadlines, added up over the partitions.

    A partition that has not heard of a run's newest calendar counts other deadlines; those of most are taken.
    """
    found: dict[str, dict[int, Counts]] = {}
    for report in reports:
        for run, packed in report.deadlines.items():
            counts = unpack(packed)
            of_run = found.setdefault(run, {})
            of_run[counts.shape[1]] = counts + of_run.get(counts.shape[1], np.int64(0))
    return {run: pack(max(found[run].values(), key=lambda one: one.shape[1])) for run in sorted(found)}


def _hours(reports: Iterable[DayReport]) -> dict[str, PackedArray]:
    """Active hours per course run, added up over the partitions."""
    found: dict[str, NDArray[np.int32]] = {}
    for report in reports:
        for run, hours in report.hours.items():
            found[run] = unpack(hours).astype(np.int32) + found.get(run, np.int32(0))
    return {run: pack(found[run]) for run in sorted(found)}
