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
from evaluation.backtest import Backtest, Hearer, Watcher
from evaluation.estimates import Estimates
from schemas.learning import DayPackage
from sources.oulad import OuladFolder, Presentation, start_day
from sources.stream import DAY

REPORT_EVERY = 20_000

IDENTITY = Identity(b"homeroom-evaluation")
"""Fixed: snapshots are staggered by pseudonym, and the figures should not depend on anybody's secret."""


@dataclass(frozen=True, slots=True)
class Streamed:
    """How much went through, and how long it took."""

    events: int
    seconds: float


def estimate(
    folder: OuladFolder,
    codes: frozenset[str],
    rules: Rules,
    console: Console,
    *,
    runs: Sequence[Presentation] | None = None,
    watch: Watcher | None = None,
) -> tuple[pa.Table, Streamed]:
    """Stream the runs given, or all, and return the estimates of those whose code is among ``codes``.

    watch: is shown every scored day too.
    """
    estimates = Estimates(codes)

    def both(day: int, processors: list[PartitionProcessor], package: DayPackage) -> None:
        estimates.watch(day, processors, package)
        if watch is not None:
            watch(day, processors, package)

    streamed = stream(folder, rules, console, runs=runs, hear=estimates.hear, watch=both)
    starts = {one.course_run: start_day(one.code) for one in folder.presentations}
    return estimates.table(starts), streamed


def stream(
    folder: OuladFolder,
    rules: Rules,
    console: Console,
    *,
    hear: Hearer,
    watch: Watcher,
    runs: Sequence[Presentation] | None = None,
    until: int | None = None,
) -> Streamed:
    """Stream the runs given, or all; only what happens before the event day ``until`` where one is given.

    Nudges are decided but reached nobody: these learners lived before them.
    """
    collect_seldom()
    backtest = Backtest(replace(rules, nudges_delivered=False), IDENTITY, say=hear, watch=watch)
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
    return Streamed(count, time.monotonic() - started)


def _bar(console: Console) -> Progress:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    return Progress(*columns, console=console, refresh_per_second=2)
