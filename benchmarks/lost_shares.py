"""How soon the watch tells that a part of the events is lost: ``python -m benchmarks.lost_shares``.

Events are counted as partitions count them, and given to the watch alone. From some day on a share of them is
lost, drawn event by event, for two weeks: of all course runs, or of one. Three things are broken, each in
several terms and on several days: one tracker of two (*mobile*), the *only* one, and *both* of two alike;
with ``--oulad DIR`` also the only source of the real data. Each line is over all terms and days of beginning:
how often it was told, and after how many days (median, most). Above them, what is told of the terms as they
are: false alarms.
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
from sources.stream import DAY, Published

WEB, MOBILE = "web", "mobile"
LASTS = 14
MONTH = 30.4
SHARES = (0.3, 0.5, 0.8, 1.0)


class Day(NamedTuple):
    """Events of a source and run: whose, of which kind, at which hour; int32 [events, 3]."""

    source: str
    run: str
    events: NDArray[np.int32]


@dataclass(frozen=True)
class Term:
    """Course runs that nothing broke: their events by day, and their first day and that after the last."""

    days: dict[int, list[Day]]
    runs: dict[str, tuple[int, int]]

    @classmethod
    def of(cls, messages: Iterable[Published]) -> "Term":
        found: dict[tuple[int, str, str], list[tuple[int, int, int]]] = {}
        runs, learners = {}, dict[str, int]()
        kinds = {kind: place for place, kind in enumerate(ACTIVITY_KINDS)}
        for published in messages:
            message = orjson.loads(published.value)
            if message["type"] == "activity":
                day, second = divmod(published.occurred_at, DAY)
                who = learners.setdefault(message["learner"], len(learners))
                key = (day, message["source"], message["course_run"])
                found.setdefault(key, []).append((who, kinds[message["kind"]], second // 3600))
            elif message["type"] == "calendar":
                first, last = (np.datetime64(message[name][:10], "D") for name in ("starts_at", "ends_at"))
                runs[message["course_run"]] = (int(first.astype(int)), int(last.astype(int)))
        days: dict[int, list[Day]] = {}
        for (day, source, run), events in found.items():
            days.setdefault(day, []).append(Day(source, run, np.array(events, np.int32)))
        return cls(days, runs)

    @property
    def months(self) -> float:
        return sum(end - start for start, end in self.runs.values()) / MONTH

    def watched(self, moments: Iterable[int]) -> tuple[list[DataQualityEvent], dict[int, QualityWatch]]:
        """What opens while nothing breaks, and the watch as it is before each of these days."""
        watch, opened, before, wanted = QualityWatch(), [], {}, set(moments)
        for day in range(min(self.days), max(self.days) + 1):
            if day in wanted:
                before[day] = deepcopy(watch)
            opened += self._close(watch, day, self.days.get(day, []))
        return opened, before

    def told(
        self, watch: QualityWatch, since: int, share: float, source: str, run: str
    ) -> list[DataQualityEvent]:
        """What opens when a share of the events is lost from a day on; empty names: of all of them."""
        draw, opened = np.random.default_rng(since), []
        for day in range(since, min(since + LASTS, max(self.days) + 1)):
            left = [
                one._replace(events=one.events[draw.random(len(one.events)) >= share])
                if source in ("", one.source) and run in ("", one.run)
                else one
                for one in self.days.get(day, [])
            ]
            opened += self._close(watch, day, left)
        return opened

    def _close(self, watch: QualityWatch, day: int, found: list[Day]) -> list[DataQualityEvent]:
        phases = {
            run: (day - start) / (end - start)
            for run, (start, end) in self.runs.items()
            if start <= day < end
        }
        counts, clicks = {}, dict[str, list[NDArray[np.int32]]]()
        for source, run, events in found:
            if len(events):
                hours = np.zeros((KINDS, HOURS), np.int64)
                np.add.at(hours, (events[:, 1], events[:, 2]), 1)
                counts[source, run] = Counts(hours, dict(Counts.none().faults))
                clicks.setdefault(run, []).append(events)
        together = {run: _together(np.concatenate(events)) for run, events in clicks.items()}
        quality = watch.close(day, counts, phases, together)
        return [one for one in quality.events if one.alarm == "opened"]


def _together(events: NDArray[np.int32]) -> NDArray[np.int64]:
    who, place = np.unique(events[:, 0], return_inverse=True)
    clicks = np.zeros((len(who), KINDS), np.uint8)
    clicks[place, events[:, 1]] = 1
    return count_companions(clicks).astype(np.int64)


@dataclass(frozen=True)
class Case:
    """What breaks, in which terms, on which of their days."""

    name: str
    terms: list[Term]
    source: str = ""

    def report(self) -> None:
        """Print false alarms, and the table."""
        found = [term.watched(day for _, day in _beginnings(term)) for term in self.terms]
        false = [event for opened, _ in found for event in opened]
        months = sum(term.months for term in self.terms)
        print(f"{self.name}: {len(false)} alarms in {months:.0f} months of course runs that nothing broke")
        for event in false:
            verdict = event.verdict
            scope = "/".join(filter(None, (verdict.source, verdict.course_run, verdict.kind)))
            print(f"  {event.occurred_at.date()} {verdict.problem} {scope}")
        for share in SHARES:
            cells = [_cell([*self._delays(found, share, one)]) for one in (False, True)]
            print(f"  {share:6.0%} lost {cells[0]:>26} {cells[1]:>26}", flush=True)

    def _delays(
        self, found: list[tuple[list[DataQualityEvent], dict[int, QualityWatch]]], share: float, one_run: bool
    ) -> Iterator[int | None]:
        """Days until it was told, of each term and day of beginning; None where it was not."""
        for term, (_, before) in zip(self.terms, found, strict=True):
            for run, since in _beginnings(term):
                watch = deepcopy(before[since])
                opened = term.told(watch, since, share, self.source, run if one_run else "")
                days = [
                    event.day + 1 - since
                    for event in opened
                    if event.verdict.source == (self.source or event.verdict.source)
                    and run in event.verdict.course_runs
                ]
                yield min(days, default=None)


def _beginnings(term: Term) -> list[tuple[str, int]]:
    """Runs, and days on which something breaks in them: of the later half of the term's runs, each three."""
    runs = sorted(term.runs.items(), key=lambda item: (item[1], item[0]))
    return [
        (run, start + round(share * (end - start)))
        for run, (start, end) in runs[len(runs) // 2 :]
        for share in (0.2, 0.45, 0.7)
    ]


def _cell(found: list[int | None]) -> str:
    told = [days for days in found if days is not None]
    often = f"{len(told)} of {len(found)}"
    return f"{often}, {median(told):.0f} ({max(told)})" if told else often


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--learners", type=int, default=2_000)
    parser.add_argument("--seeds", type=int, default=2, help="0: none of the simulated terms")
    parser.add_argument("--oulad", type=Path)
    chosen = parser.parse_args()
    plans = [
        SimulationPlan.term(chosen.learners, courses=4, seed=seed) for seed in range(1, chosen.seeds + 1)
    ]
    two = [Term.of(stream(replace(plan, trackers=(WEB, MOBILE)))) for plan in plans]
    print(f"{'told, days: median (most)':33} {'of all runs':>26} {'of one run':>26}".lstrip())
    if plans:
        Case("mobile, of two trackers", two, MOBILE).report()
        Case("both of two trackers alike", two).report()
        Case("the only tracker", [Term.of(stream(plan)) for plan in plans]).report()
    if chosen.oulad is not None:
        Case("OULAD's only source", [Term.of(OuladFolder(chosen.oulad).stream())]).report()


if __name__ == "__main__":
    main()
