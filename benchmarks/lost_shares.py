"""How soon the quality watch detects a loss of events: ``python -m benchmarks.lost_shares``.

Events are counted as partitions count them, and given to the watch alone. From some day on a share of them is
lost, drawn event by event, for two weeks: of all course runs, or of one. The loss affects, in several terms
and from several days on, one tracker of two (*mobile*), the *only* one, or *both* of two alike; with
``--oulad DIR`` also the only source of the real data. Each line is over all terms and first days: how often
the loss was detected, and after how many days (median, most). Above them, false alarms.
"""

import argparse
from collections.abc import Iterable, Iterator
from copy import deepcopy
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median
from typing import NamedTuple

import numpy as np
import orjson
from numpy.typing import NDArray

from data_quality.companions import count_companions
from data_quality.counts import HOURS, KINDS, Counts
from data_quality.watch import QualityWatch
from schemas.activity import ACTIVITY_KINDS
from schemas.quality import DataQualityEvent
from sources.oulad import OuladFolder
from sources.simulator import SimulationPlan, stream
from sources.stream import DAY, SourceMessage

WEB, MOBILE = "web", "mobile"
LOSS_DAYS = 14
MONTH = 30.4
SHARES = (0.3, 0.5, 0.8, 1.0)


class Day(NamedTuple):
    """Events of a source and run on a day: learner, kind and hour, int32 [events, 3]."""

    source: str
    run: str
    events: NDArray[np.int32]


@dataclass(frozen=True)
class Term:
    """Healthy course runs: events by day, and each run's first day and the day after its last."""

    days: dict[int, list[Day]]
    runs: dict[str, tuple[int, int]]

    @classmethod
    def of(cls, messages: Iterable[SourceMessage]) -> "Term":
        by_key: dict[tuple[int, str, str], list[tuple[int, int, int]]] = {}
        runs, learners = {}, dict[str, int]()
        kinds = {kind: index for index, kind in enumerate(ACTIVITY_KINDS)}
        for source_message in messages:
            message = orjson.loads(source_message.value)
            if message["type"] == "activity":
                day, second = divmod(source_message.occurred_at, DAY)
                learner = learners.setdefault(message["learner"], len(learners))
                key = (day, message["source"], message["course_run"])
                by_key.setdefault(key, []).append((learner, kinds[message["kind"]], second // 3600))
            elif message["type"] == "calendar":
                first, last = (np.datetime64(message[name][:10], "D") for name in ("starts_at", "ends_at"))
                runs[message["course_run"]] = (int(first.astype(int)), int(last.astype(int)))
        days: dict[int, list[Day]] = {}
        for (day, source, run), events in by_key.items():
            days.setdefault(day, []).append(Day(source, run, np.array(events, np.int32)))
        return cls(days, runs)

    @property
    def months(self) -> float:
        return sum(end - start for start, end in self.runs.values()) / MONTH

    def without_loss(self, days: Iterable[int]) -> tuple[list[DataQualityEvent], dict[int, QualityWatch]]:
        """Alarms without a loss, and a copy of the watch as it is before each of these days."""
        watch, alarms, watches, snapshot_days = QualityWatch(), [], {}, set(days)
        for day in range(min(self.days), max(self.days) + 1):
            if day in snapshot_days:
                watches[day] = deepcopy(watch)
            alarms += self._close_day(watch, day, self.days.get(day, []))
        return alarms, watches

    def alarms(
        self, watch: QualityWatch, since: int, share: float, source: str, run: str
    ) -> list[DataQualityEvent]:
        """Alarms when a share of the events is lost from a day on; empty names match all sources and runs."""
        rng, alarms = np.random.default_rng(since), []
        for day in range(since, min(since + LOSS_DAYS, max(self.days) + 1)):
            remaining = [
                part._replace(events=part.events[rng.random(len(part.events)) >= share])
                if source in ("", part.source) and run in ("", part.run)
                else part
                for part in self.days.get(day, [])
            ]
            alarms += self._close_day(watch, day, remaining)
        return alarms

    def _close_day(self, watch: QualityWatch, day: int, parts: list[Day]) -> list[DataQualityEvent]:
        phases = {
            run: (day - start) / (end - start)
            for run, (start, end) in self.runs.items()
            if start <= day < end
        }
        counts, clicks = {}, dict[str, list[NDArray[np.int32]]]()
        for source, run, events in parts:
            if len(events):
                hours = np.zeros((KINDS, HOURS), np.int64)
                np.add.at(hours, (events[:, 1], events[:, 2]), 1)
                counts[source, run] = Counts(hours, dict(Counts.none().faults))
                clicks.setdefault(run, []).append(events)
        co_occurrences = {run: _co_occurrences(np.concatenate(events)) for run, events in clicks.items()}
        quality = watch.close(day, counts, phases, co_occurrences)
        return [event for event in quality.events if event.alarm == "opened"]


def _co_occurrences(events: NDArray[np.int32]) -> NDArray[np.int64]:
    learners, index = np.unique(events[:, 0], return_inverse=True)
    clicks = np.zeros((len(learners), KINDS), np.uint8)
    clicks[index, events[:, 1]] = 1
    return count_companions(clicks).astype(np.int64)


@dataclass(frozen=True)
class Case:
    """A loss in several terms; an empty source affects all of them."""

    name: str
    terms: list[Term]
    source: str = ""

    def report(self) -> None:
        """Print the false alarms and the table."""
        baselines = [term.without_loss(day for _, day in _loss_starts(term)) for term in self.terms]
        false_alarms = [event for alarms, _ in baselines for event in alarms]
        months = sum(term.months for term in self.terms)
        print(
            f"{self.name}: {len(false_alarms)} alarms in {months:.0f} months of course runs "
            "that nothing broke"
        )
        for event in false_alarms:
            verdict = event.verdict
            scope = "/".join(filter(None, (verdict.source, verdict.course_run, verdict.kind)))
            print(f"  {event.occurred_at.date()} {verdict.problem} {scope}")
        for share in SHARES:
            cells = [_cell([*self._delays(baselines, share, one_run)]) for one_run in (False, True)]
            print(f"  {share:6.0%} lost {cells[0]:>26} {cells[1]:>26}", flush=True)

    def _delays(
        self,
        baselines: list[tuple[list[DataQualityEvent], dict[int, QualityWatch]]],
        share: float,
        one_run: bool,
    ) -> Iterator[int | None]:
        """Days until detection, for each term and first day; None without detection."""
        for term, (_, watches) in zip(self.terms, baselines, strict=True):
            for run, since in _loss_starts(term):
                watch = deepcopy(watches[since])
                alarms = term.alarms(watch, since, share, self.source, run if one_run else "")
                days = [
                    event.day + 1 - since
                    for event in alarms
                    if event.verdict.source == (self.source or event.verdict.source)
                    and run in event.verdict.course_runs
                ]
                yield min(days, default=None)


def _loss_starts(term: Term) -> list[tuple[str, int]]:
    """(run, first day of the loss): three for each run in the later half of the term's runs."""
    runs = sorted(term.runs.items(), key=lambda item: (item[1], item[0]))
    return [
        (run, start + round(share * (end - start)))
        for run, (start, end) in runs[len(runs) // 2 :]
        for share in (0.2, 0.45, 0.7)
    ]


def _cell(delays: list[int | None]) -> str:
    detected = [days for days in delays if days is not None]
    often = f"{len(detected)} of {len(delays)}"
    return f"{often}, {median(detected):.0f} ({max(detected)})" if detected else often


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--learners", type=int, default=2_000)
    parser.add_argument("--seeds", type=int, default=2, help="0: none of the simulated terms")
    parser.add_argument("--oulad", type=Path)
    options = parser.parse_args()
    plans = [
        SimulationPlan.term(options.learners, courses=4, seed=seed) for seed in range(1, options.seeds + 1)
    ]
    two_trackers = [Term.of(stream(replace(plan, trackers=(WEB, MOBILE)))) for plan in plans]
    print(f"{'told, days: median (most)':33} {'of all runs':>26} {'of one run':>26}".lstrip())
    if plans:
        Case("mobile, of two trackers", two_trackers, MOBILE).report()
        Case("both of two trackers alike", two_trackers).report()
        Case("the only tracker", [Term.of(stream(plan)) for plan in plans]).report()
    if options.oulad is not None:
        Case("OULAD's only source", [Term.of(OuladFolder(options.oulad).stream())]).report()


if __name__ == "__main__":
    main()
