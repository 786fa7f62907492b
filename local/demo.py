"""Runs a whole stream through a rig, with progress to look at: what the demo and the replays share."""

import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import takewhile

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn
from rich.progress import Progress as Bar

from local.rig import Progress, Rig, RigError
from sources import simulator
from sources.simulator import SimulationPlan
from sources.stream import DAY, SourceMessage
from streams.source_publisher import Sent

Show = Callable[[Progress], None]
LOOK_S = 0.5
LINE_S = 10.0
STUCK_S = 180.0


def stream_through(
    rig: Rig, stream: Iterable[SourceMessage], total: int, console: Console, workers: int = 1
) -> Progress:
    """Publish all of a stream while workers apply it; returns when the last event has been.

    Raises ``RigError`` where a worker ends, or nothing moves for three minutes.
    """
    for _ in range(workers):
        rig.start_worker()
    sent = Sent()
    started = time.monotonic()

    def note(now: Sent) -> None:
        sent.messages, sent.records, sent.event_time = now.messages, now.records, now.event_time

    with ThreadPoolExecutor(1, "publish") as pool, _shown(console, total) as show:
        publishing = pool.submit(rig.publish, stream, note)
        return _watch(rig, publishing, sent, started, show)


def unfinished(plan: SimulationPlan) -> Iterator[SourceMessage]:
    """A term left in its middle, without the last tick: that would close a day of which nothing is told."""
    if plan.until is None:
        return simulator.stream(plan)
    closes = (plan.until + 1) * DAY  # with a lateness of hours, the tick that closes the last day told of
    return takewhile(lambda message: message.occurred_at <= closes, simulator.stream(plan))


def _watch(rig: Rig, publishing: "Future[Sent]", sent: Sent, started: float, show: Show) -> Progress:
    moved, last = time.monotonic(), -1
    while True:
        progress = rig.follow(sent, started)
        show(progress)
        if publishing.done():
            publishing.result()
            if progress.done >= sent.records:
                return progress
        if progress.done != last:
            moved, last = time.monotonic(), progress.done
        if time.monotonic() - moved > STUCK_S:
            tail = rig.workers[0].tail() if rig.workers else ""
            raise RigError(f"nothing has moved for {STUCK_S:.0f} s; the worker's last words:\n{tail}")
        time.sleep(LOOK_S)


@contextmanager
def _shown(console: Console, total: int) -> Iterator[Show]:
    """A bar on a terminal; elsewhere, such as in a log, a line now and then."""
    if not console.is_terminal:
        yield _Lines(console, total)
        return
    columns = (
        TextColumn("{task.fields[at]}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]:,.0f} events/s", markup=False),
        TimeElapsedColumn(),
    )
    with Bar(*columns, console=console, refresh_per_second=2) as bar:
        task = bar.add_task("", total=total, at="starting", rate=0)

        def show(progress: Progress) -> None:
            known = max(total, progress.sent.records)
            bar.update(task, completed=progress.done, total=known, at=_at(progress), rate=_rate(progress))

        yield show


@dataclass(slots=True)
class _Lines:
    console: Console
    total: int
    said: float = 0.0

    def __call__(self, progress: Progress) -> None:
        if progress.elapsed_s - self.said >= LINE_S:
            self.said = progress.elapsed_s
            known = max(self.total, progress.sent.records)
            self.console.print(
                f"{progress.elapsed_s:4.0f} s  {_at(progress)}  {progress.done:,} of about {known:,} events, "
                f"{_rate(progress):,.0f}/s"
            )


def _at(progress: Progress) -> str:
    if not progress.sent.messages:
        return "starting"
    return datetime.fromtimestamp(progress.sent.event_time, UTC).strftime("%d %b %Y")


def _rate(progress: Progress) -> float:
    return progress.done / max(progress.elapsed_s, 1e-9)
