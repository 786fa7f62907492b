"""The trainer: merges the partitions' day reports, learns from them, and publishes day packages.

The result depends on the events alone. Cohorts are sums of whole numbers; examples are sorted
independently of their partition; a report that arrives twice counts once. The order of examples is
a shuffle by hash: in order of event time every run's last days would be learned last and overwrite
what was learned from its first weeks (that costs .01 of AUC and triples the calibration error).

Contract for the caller:
- Pass every report to ``receive``, in the order of its partition; records may be repeated. It
  returns the packages that became complete, oldest first; publish them before acknowledging the
  report.
- After a restart, call ``resume`` with the newest published package, then pass the reports again
  from any earlier offset: those of published days are ignored.
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
from online_models.carried_accounts import accounts_to_carry
from online_models.challenger import ChampionChallenger
from online_models.cohorts import Histogram, merge, phase, rank_table
from online_models.design import check_example, is_of_open_run
from online_models.drift import DriftMonitor
from online_models.intercepts import RunIntercepts, check_counts
from online_models.metrics import ProgressiveValidation
from online_models.open_runs import OpenRunModel
from online_models.recommender import Table, learn, merge_transitions
from schemas.learning import CarriedAccount, DayPackage, DayReport, ModelEvent, ModelSnapshot, TrainingExample
from schemas.packed import PackedArray

Parts = dict[int, DayReport]
Count = TypeVar("Count", np.int32, np.int64)


@dataclass(slots=True)
class _Partition:
    """The reports of one partition for days not yet published."""

    days: dict[int, dict[int, Parts]] = field(default_factory=dict)
    """Parts by day and number of parts: a report that a crash cut off may be sent again in another number."""
    closed: int | None = None
    """The newest day of which all parts have arrived."""

    def pop_reports(self, day: int) -> list[DayReport]:
        """Remove and return the parts of a day's report; none where this partition has not reported the
        day."""
        complete = [parts for count, parts in sorted(self.days.pop(day, {}).items()) if len(parts) == count]
        return list(complete[0].values()) if complete else []


class Trainer:
    """Waits until every partition has closed a day, then learns from it and publishes its package."""

    def __init__(self, partitions: int, fingerprint: str = FINGERPRINT) -> None:
        """partitions: their number in the input topic; fingerprint: of the features.

        Raises:
            ValueError: for no partition, or for features of another release.
        """
        if partitions < 1:
            raise ValueError(f"trainer: {partitions} partitions, expected at least 1")
        if fingerprint != FINGERPRINT:
            raise ValueError(f"trainer: features {fingerprint}, this release has {FINGERPRINT}")
        self.published: int | None = None
        self._partitions = [_Partition() for _ in range(partitions)]
        self._models = ChampionChallenger()
        self._drift = DriftMonitor()
        self._progress = ProgressiveValidation()
        self._open_model = OpenRunModel()
        self._quality = QualityWatch()
        self._choices: dict[str, NDArray[np.int32]] = {}
        self._next_items: Table = {}
        self._intercepts = RunIntercepts()
        self._carried: list[CarriedAccount] = []

    @classmethod
    def resume(cls, package: DayPackage, partitions: int) -> "Trainer":
        """The trainer as it was after ``package``.

        Raises:
            ValueError: if another model or other features made the package.
        """
        trainer = cls(partitions, package.features)
        trainer.published = package.day
        trainer._models = ChampionChallenger.from_package(package)
        trainer._drift = DriftMonitor.from_state(package.drift)
        trainer._progress = ProgressiveValidation.from_state(package.model.state.get("progress"))
        trainer._open_model = OpenRunModel.from_snapshot(package.open_model)
        trainer._quality = QualityWatch.from_state(package.quality.rhythm)
        trainer._choices = {name: unpack(sums) for name, sums in package.choices.items()}
        trainer._next_items = package.next_items
        trainer._carried = package.carried
        trainer._intercepts = RunIntercepts(
            {run: unpack(sums) for run, sums in package.leaving.items()},
            {course: unpack(sums) for course, sums in package.left.items()},
        )
        return trainer

    def receive(self, report: DayReport) -> list[DayPackage]:
        """Add a part of a report; returns the packages that it completes, oldest first.

        Raises:
            ValueError: for an unknown partition, other features, a wrong number of the part, or a wrong shape
                of the content. Nothing of the report has been added then.
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
        """The partitions that have not closed the oldest day that another one has reported."""
        days = [day for partition in self._partitions for day in partition.days]
        if not days:
            return []
        return [
            number
            for number, partition in enumerate(self._partitions)
            if not _has_closed(partition, min(days))
        ]

    def _check(self, report: DayReport) -> None:
        name = f"day report {report.day} of partition {report.partition}"
        if report.partition >= len(self._partitions):
            raise ValueError(f"{name}: there are {len(self._partitions)} partitions")
        if report.features != FINGERPRINT:
            raise ValueError(f"{name}: features {report.features}, expected {FINGERPRINT}")
        if report.part >= report.parts:
            raise ValueError(f"{name}: part {report.part} of {report.parts}, expected a smaller one")

    def _complete(self) -> list[int]:
        """Reported days that every partition has closed, oldest first."""
        days = sorted({day for partition in self._partitions for day in partition.days})
        complete: list[int] = []
        for day in days:
            if not all(_has_closed(partition, day) for partition in self._partitions):
                break
            complete.append(day)
        return complete

    def _publish(self, day: int) -> DayPackage:
        reports = [report for partition in self._partitions for report in partition.pop_reports(day)]
        examples = shuffled(example for report in reports for example in report.examples)
        self._progress.update(examples)
        cohorts = _cohorts(reports)
        events = [*self._drift.update(day, examples), *self._drift.compare_inputs(day, cohorts)]
        promoted = self._learn(day, examples)
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
        for old, new in sorted({pair for report in reports for pair in report.renames.items()}):
            self._intercepts.rename(old, new)
            if old in self._next_items:
                self._next_items.setdefault(new, self._next_items.pop(old))
        leaving: dict[str, NDArray[np.int64]] = {}
        _add_sums(leaving, (report.leaving for report in reports))
        self._intercepts.update(leaving, cohorts)
        shifts = self._intercepts.shifts()
        days = 1 if self.published is None else day - self.published
        transitions = merge_transitions(report.transitions for report in reports)
        self._next_items = learn(self._next_items, transitions, days)
        self._carried = accounts_to_carry(day, self._carried, reports)
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
            early=_early_outcomes(reports),
            intercepts=shifts,
            leaving={run: pack(sums) for run, sums in sorted(self._intercepts.runs.items())},
            left={course: pack(sums) for course, sums in sorted(self._intercepts.courses.items())},
            hours=_hours(reports),
            model=self._with_progress(champion),
            metrics=self._metrics(events, shifts),
            next_items=self._next_items,
            carried=self._carried,
            quality=self._quality.close(day, counts, phases, together),
            challenger=challenger,
            open_model=self._open_model.snapshot(),
            drift={**self._drift.state(), "contest": self._models.contest.state()},
            events=events,
        )

    def _learn(self, day: int, examples: list[TrainingExample]) -> bool:
        """Learn a day's examples; returns whether the challenger was promoted."""
        of_open_runs = [example for example in examples if is_of_open_run(example.codes)]
        self._open_model.learn(day, shuffled(self._open_model.due(day, of_open_runs)))
        return self._models.learn([example for example in examples if not is_of_open_run(example.codes)])

    def _add_choices(self, reports: Iterable[DayReport]) -> None:
        """Add the reports' sums of the outcomes of variants."""
        _add_sums(self._choices, (report.choices for report in reports))

    def _with_progress(self, snapshot: ModelSnapshot) -> ModelSnapshot:
        return snapshot.model_copy(update={"state": {**snapshot.state, "progress": self._progress.state()}})

    def _metrics(self, events: Iterable[ModelEvent], shifts: dict[str, float]) -> dict[str, float]:
        champion = self._models.champion
        learned = {"examples": float(champion.examples), "positives": float(champion.positives)}
        learned["slope"] = champion.slope.value
        learned |= {f"intercept/{run}": shift for run, shift in shifts.items()}
        event_values = {f"event/{event.what}/{event.of}": event.value for event in events}
        return (
            learned
            | self._progress.metrics()
            | self._models.contest.metrics()
            | self._drift.metrics()
            | event_values
        )


def _early_outcomes(reports: Iterable[DayReport]) -> dict[str, PackedArray]:
    """Sums of the early outcomes of decisions; of this day alone, since each report contains them in full."""
    sums: dict[str, NDArray[np.int32]] = {}
    _add_sums(sums, (report.early for report in reports))
    return {name: pack(sums[name]) for name in sorted(sums)}


def _add_sums(sums: dict[str, NDArray[Count]], by_report: Iterable[dict[str, PackedArray]]) -> None:
    """Add the arrays of reports to sums by name; a sum starts anew at an array of another shape."""
    for arrays in by_report:
        for name, packed in arrays.items():
            addend, total = unpack(packed), sums.get(name)
            sums[name] = addend if total is None or total.shape != addend.shape else total + addend


def _check_content(report: DayReport) -> None:
    """Check arrays and examples on arrival, so that an invalid report cannot interrupt the learning of a
    day."""
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
    """The examples in the order of a hash of enrolment, run and day: independent of the order of arrival."""

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
    """Whether a partition's report of ``day`` is complete, or a later one's is and ``day`` has none."""
    if partition.closed is None or partition.closed < day:
        return False
    by_part_count = partition.days.get(day)
    return by_part_count is None or any(len(parts) == count for count, parts in by_part_count.items())


def _cohorts(reports: Iterable[DayReport]) -> dict[str, Histogram]:
    """The cohort histogram by course run, sorted by name."""
    histograms: dict[str, list[PackedArray]] = {}
    for report in reports:
        for run, counts in report.cohorts.items():
            histograms.setdefault(run, []).append(counts)
    return {run: merge(unpack(counts) for counts in histograms[run]) for run in sorted(histograms)}


def _deadlines(reports: Iterable[DayReport]) -> dict[str, PackedArray]:
    """The counts of submissions by deadline of each run, summed over the partitions.

    A partition that has not received a run's newest calendar counts fewer deadlines; the counts with the most
    deadlines are published.
    """
    totals: dict[str, dict[int, Counts]] = {}
    for report in reports:
        for run, packed in report.deadlines.items():
            counts = unpack(packed)
            run_totals = totals.setdefault(run, {})
            run_totals[counts.shape[1]] = counts + run_totals.get(counts.shape[1], np.int64(0))
    return {
        run: pack(max(totals[run].values(), key=lambda counts: counts.shape[1])) for run in sorted(totals)
    }


def _hours(reports: Iterable[DayReport]) -> dict[str, PackedArray]:
    """Active hours of the week by course run, summed over the partitions."""
    totals: dict[str, NDArray[np.int32]] = {}
    for report in reports:
        for run, hours in report.hours.items():
            totals[run] = unpack(hours).astype(np.int32) + totals.get(run, np.int32(0))
    return {run: pack(totals[run]) for run in sorted(totals)}
