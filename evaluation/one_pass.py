"""One pass over runs of an OULAD folder in time order, test then train, with a progress bar."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import takewhile

import pyarrow as pa
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from engine.garbage_collection import collect_seldom
from engine.processor import PartitionProcessor
from engine.pseudonyms import Identity
from engine.rules import Rules
from evaluation.backtest import Backtest, DayCallback, OutputsCallback
from evaluation.estimates import EstimateCollector
from schemas.learning import DayPackage
from sources.oulad import OuladFolder, Presentation, start_day
from sources.stream import DAY

REPORT_EVERY = 20_000

IDENTITY = Identity(b"homeroom-evaluation")
"""Fixed: snapshots are staggered by pseudonym, and the figures should not depend on anybody's secret."""


@dataclass(frozen=True, slots=True)
class PassStatistics:
    """The number of events of a pass, and its duration."""

    events: int
    seconds: float


def estimate(
    folder: OuladFolder,
    codes: frozenset[str],
    rules: Rules,
    console: Console,
    *,
    runs: Sequence[Presentation] | None = None,
    on_day: DayCallback | None = None,
) -> tuple[pa.Table, PassStatistics]:
    """Stream ``runs``, by default all; returns the table of the estimates of those with one of the codes.

    on_day: an additional callback after every scored day.
    """
    estimates = EstimateCollector(codes)

    def on_scored_day(day: int, processors: list[PartitionProcessor], package: DayPackage) -> None:
        estimates.on_day(day, processors, package)
        if on_day is not None:
            on_day(day, processors, package)

    statistics = stream(
        folder, rules, console, runs=runs, on_outputs=estimates.on_outputs, on_day=on_scored_day
    )
    starts = {presentation.course_run: start_day(presentation.code) for presentation in folder.presentations}
    return estimates.table(starts), statistics


def stream(
    folder: OuladFolder,
    rules: Rules,
    console: Console,
    *,
    on_outputs: OutputsCallback,
    on_day: DayCallback,
    runs: Sequence[Presentation] | None = None,
    until: int | None = None,
) -> PassStatistics:
    """Stream ``runs``, by default all, through a backtest; until: the event day before which to stop.

    Nudges are decided but not delivered: the recorded learners did not receive them.
    """
    collect_seldom()
    backtest = Backtest(
        replace(rules, nudges_delivered=False), IDENTITY, on_outputs=on_outputs, on_day=on_day
    )
    messages = folder.stream(runs)
    if until is not None:
        messages = takewhile(lambda message: message.occurred_at < until * DAY, messages)
    started, count = time.monotonic(), 0
    with _bar(console) as bar:
        task = bar.add_task("events", total=folder.total(runs))
        for count, message in enumerate(messages, start=1):
            backtest.feed(message)
            if count % REPORT_EVERY == 0:
                bar.update(task, completed=count)
        backtest.finish()
        bar.update(task, completed=count, total=count)
    return PassStatistics(count, time.monotonic() - started)


def _bar(console: Console) -> Progress:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    return Progress(*columns, console=console, refresh_per_second=2)
