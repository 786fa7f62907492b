"""Runs a whole stream through a rig, with progress to look at: what the demo and the replays share."""

import time
from collections.abc import Callable, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import UTC, datetime

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from sources.stream import Published
from streams import rig as rigs
from streams.publishing import Sent
from streams.rig import Rig, RigError

Show = Callable[[rigs.Progress], None]
LOOK_S = 0.5
STUCK_S = 180.0


def stream_through(
    rig: Rig, stream: Iterable[Published], total: int, console: Console, workers: int = 1
) -> rigs.Progress:
    """Publish all of a stream while workers apply it; returns when the last event has been.

    Raises ``RigError`` where a worker ends, or nothing moves for three minutes.
    """
    for _ in range(workers):
        rig.start_worker()
    sent = Sent()
    started = time.monotonic()

    def note(now: Sent) -> None:
        sent.messages, sent.records, sent.event_time = now.messages, now.records, now.event_time

    with ThreadPoolExecutor(1, "publish") as pool, _bar(console) as bar:
        publishing = pool.submit(rig.publish, stream, note)
        task = bar.add_task("", total=total, at="starting", rate=0)
        return _watch(rig, publishing, sent, started, lambda progress: _show(bar, task, progress, total))


def _watch(rig: Rig, publishing: "Future[Sent]", sent: Sent, started: float, show: Show) -> rigs.Progress:
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


def _bar(console: Console) -> Progress:
    return Progress(
        TextColumn("{task.fields[at]}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]:,.0f} events/s"),
        TimeElapsedColumn(),
        console=console,
        transient=False,
        refresh_per_second=2,
    )


def _show(bar: Progress, task: TaskID, progress: rigs.Progress, total: int) -> None:
    at = datetime.fromtimestamp(progress.sent.event_time, UTC).strftime("%d %b %Y")
    bar.update(
        task,
        completed=progress.done,
        total=max(total, progress.sent.records),
        at=at if progress.sent.messages else "starting",
        rate=progress.done / max(progress.elapsed_s, 1e-9),
    )
