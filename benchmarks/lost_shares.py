"""How soon the watch tells that a source loses events: ``python -m benchmarks.lost_shares``.

Terms of the simulator are counted as partitions count them, and given to the watch alone. From some day on
one of two trackers loses a share of its events, for two weeks: of all course runs, or of one. Each line is
over all terms and days of beginning: how often it was told, and after how many days (median, most). Above
them, what is told of the terms as they are: false alarms.
"""

import argparse
from collections.abc import Iterator
from dataclasses import dataclass, replace
from statistics import median

import numpy as np
import orjson
from numpy.typing import NDArray

from online_models.quality import KINDS, Counts, QualityWatch
from schemas.activity import ACTIVITY_KINDS
from schemas.quality import DataQualityEvent
from sources.simulator import SimulationPlan, stream
from sources.stream import DAY

WEB, MOBILE = "web", "mobile"
LASTS = 14
MONTH = 30.4

Days = dict[int, dict[tuple[str, str], NDArray[np.int64]]]
"""Events by day, source and run, [kinds, hours]."""


@dataclass(frozen=True)
class Term:
    """A term that nothing broke."""

    days: Days
    runs: dict[str, tuple[int, int]]

    @classmethod
    def of(cls, plan: SimulationPlan) -> "Term":
        found: Days = {}
        for published in stream(plan):
            message = orjson.loads(published.value)
            if message["type"] == "activity":
                day, second = divmod(published.occurred_at, DAY)
                key = (message["source"], message["course_run"])
                counts = found.setdefault(day, {}).setdefault(key, np.zeros((KINDS, 24), np.int64))
                counts[ACTIVITY_KINDS.index(message["kind"]), second // 3600] += 1
        return cls(found, {run.course_run: (run.starts_on, run.starts_on + run.days) for run in plan.runs})

    def phases(self, day: int) -> dict[str, float]:
        return {
            run: (day - start) / (end - start)
            for run, (start, end) in self.runs.items()
            if start <= day < end
        }

    def told(self, share: float = 0.0, since: int = 0, run: str = "") -> list[DataQualityEvent]:
        """What opens when *mobile* loses a share of its events from a day on, in one run or all of them."""
        watch, draw = QualityWatch(), np.random.default_rng(since)
        opened = []
        for day in range(min(self.days), max(self.days) + 1):
            counts = dict(self.days.get(day, {}))
            for source, of in counts if share and since <= day < since + LASTS else ():
                if source == MOBILE and run in ("", of):
                    counts[source, of] = draw.binomial(counts[source, of], 1 - share)
            found = {
                key: Counts(hours, dict(Counts.none().faults)) for key, hours in counts.items() if hours.any()
            }
            opened += [
                one for one in watch.close(day, found, self.phases(day)).events if one.alarm == "opened"
            ]
        return opened


def delays(terms: list[Term], share: float, one_run: bool) -> Iterator[int | None]:
    """Days until it was told, of each term and day of beginning; None where it was not."""
    for term in terms:
        run, (start, _) = max(term.runs.items(), key=lambda item: item[1])
        for since in range(start + 30, start + 80, 20):
            opened = [
                one.day + 1 - since
                for one in term.told(share, since, run if one_run else "")
                if one.verdict.source == MOBILE and since <= one.day < since + LASTS
            ]
            yield min(opened, default=None)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--learners", type=int, default=2_000)
    parser.add_argument("--seeds", type=int, default=2)
    chosen = parser.parse_args()
    plans = [
        SimulationPlan.term(chosen.learners, courses=4, seed=seed) for seed in range(1, chosen.seeds + 1)
    ]
    terms = [Term.of(replace(plan, trackers=(WEB, MOBILE))) for plan in plans]
    months = sum(end - start for term in terms for start, end in term.runs.values()) / MONTH
    false = sum(len(term.told()) for term in terms)
    print(f"{false} alarms in {months:.0f} months of course runs that nothing broke")
    print(f"{'mobile loses':14} {'of all runs: told, days':>26} {'of one run: told, days':>26}")
    for share in (0.3, 0.5, 0.8, 1.0):
        cells = [_cell(list(delays(terms, share, one_run))) for one_run in (False, True)]
        print(f"{share:14.0%} {cells[0]:>26} {cells[1]:>26}", flush=True)


def _cell(found: list[int | None]) -> str:
    told = [days for days in found if days is not None]
    often = f"{len(told)} of {len(found)}"
    return f"{often}, {median(told):.0f} ({max(told)})" if told else often


if __name__ == "__main__":
    main()
