"""Runs a whole stream through a rig and shows progress: shared by the demo and the replays."""

import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import takewhile

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn
from rich.progress import Progress as ProgressBar

from local.rig import Progress, Rig, RigError
from sources import simulator
from sources.simulator import SimulationPlan
from sources.stream import DAY, SourceMessage
from streams.source_publisher import Sent

ShowProgress = Callable[[Progress], None]
POLL_S = 0.5
LINE_S = 10.0
STUCK_S = 180.0


def stream_through(
    rig: Rig, stream: Iterable[SourceMessage], total: int, console: Console, workers: int = 1
) -> Progress:
    """Publish a whole stream while workers apply it; returns when the last event is applied.

    Raises:
        RigError: a worker ended, or there was no progress for three minutes.
    """
    for _ in range(workers):
        rig.start_worker()
    sent = Sent()
    started = time.monotonic()

    def update(current: Sent) -> None:
        sent.messages, sent.records, sent.event_time = current.messages, current.records, current.event_time

    with ThreadPoolExecutor(1, "publish") as pool, _progress_display(console, total) as show:
        publishing = pool.submit(rig.publish, stream, update)
        return _follow(rig, publishing, sent, started, show)


def truncated_stream(plan: SimulationPlan) -> Iterator[SourceMessage]:
    """A term that stops in its middle, without the last ticks, which would close days without events."""
    if plan.until is None:
        return simulator.stream(plan)
    closes = (plan.until + 1) * DAY  # with a lateness of hours, the tick that closes the last simulated day
    return takewhile(lambda message: message.occurred_at <= closes, simulator.stream(plan))


def _follow(rig: Rig, publishing: "Future[Sent]", sent: Sent, started: float, show: ShowProgress) -> Progress:
    changed_at, previous = time.monotonic(), -1
    while True:
        progress = rig.follow(sent, started)
        show(progress)
        if publishing.done():
            publishing.result()
            if progress.processed >= sent.records:
                return progress
        if progress.processed != previous:
            changed_at, previous = time.monotonic(), progress.processed
        if time.monotonic() - changed_at > STUCK_S:
            tail = rig.workers[0].tail() if rig.workers else ""
            raise RigError(f"nothing has moved for {STUCK_S:.0f} s; the worker's last words:\n{tail}")
        time.sleep(POLL_S)


@contextmanager
def _progress_display(console: Console, total: int) -> Iterator[ShowProgress]:
    """A progress bar on a terminal; elsewhere, such as in a log, a line every ten seconds."""
    if not console.is_terminal:
        yield _ProgressLines(console, total)
        return
    columns = (
        TextColumn("{task.fields[event_time]}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]:,.0f} events/s", markup=False),
        TimeElapsedColumn(),
    )
    with ProgressBar(*columns, console=console, refresh_per_second=2) as bar:
        task = bar.add_task("", total=total, event_time="starting", rate=0)

        def show(progress: Progress) -> None:
            expected = max(total, progress.sent.records)
            bar.update(
                task,
                completed=progress.processed,
                total=expected,
                event_time=_event_time(progress),
                rate=_rate(progress),
            )

        yield show


@dataclass(slots=True)
class _ProgressLines:
    console: Console
    total: int
    printed_at_s: float = 0.0

    def __call__(self, progress: Progress) -> None:
        if progress.elapsed_s - self.printed_at_s >= LINE_S:
            self.printed_at_s = progress.elapsed_s
            expected = max(self.total, progress.sent.records)
            self.console.print(
                f"{progress.elapsed_s:4.0f} s  {_event_time(progress)}  "
                f"{progress.processed:,} of about {expected:,} events, {_rate(progress):,.0f}/s"
            )


def _event_time(progress: Progress) -> str:
    if not progress.sent.messages:
        return "starting"
    return datetime.fromtimestamp(progress.sent.event_time, UTC).strftime("%d %b %Y")


def _rate(progress: Progress) -> float:
    return progress.processed / max(progress.elapsed_s, 1e-9)
