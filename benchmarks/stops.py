"""Stops workers during rebalances: ``python -m benchmarks.stops TRIES [--broker HOST:PORT]``.

One worker stays; others join two at a time, each of which triggers a rebalance, and get SIGTERM at random
times after their first line of log. Prints how each ended, and a summary.
"""

import argparse
import json
import random
import signal
import subprocess
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from pydantic import SecretStr

from local.brokers import ApacheKafka
from local.rig import Rig, WorkerProcess
from schemas.topics import EVENTS
from sources.stream import instant
from streams.publisher import Publisher
from streams.settings import Settings

SPAN_S = 8.0
"""Seconds within which workers are stopped; one has its partitions after about four, later under load."""

BEGIN_S = 120.0


@dataclass(frozen=True, slots=True)
class Stop:
    """How one worker ended. after_s: from its first line to the signal. seconds: from there to its end."""

    after_s: float
    seconds: float
    code: int
    traces: int
    log: str


def stops(rig: Rig, tries: int, seed: int = 1) -> Iterator[Stop]:
    """Start and stop ``tries`` workers, two at a time beside one that stays."""
    draw = random.Random(seed)
    rig.start_worker()
    for number in range(0, tries, 2):
        _publish(rig.settings, number)
        pair = [rig.start_worker() for _ in range(min(2, tries - number))]
        for worker in pair:
            _await_first_line(worker)
        delays_s = sorted(draw.random() * SPAN_S for _ in pair)
        started = time.monotonic()
        signalled_at = []
        for worker, delay_s in zip(pair, delays_s, strict=True):
            time.sleep(max(started + delay_s - time.monotonic(), 0))
            worker.process.send_signal(signal.SIGTERM)
            signalled_at.append(time.monotonic())
        for worker, delay_s, signalled in zip(pair, delays_s, signalled_at, strict=True):
            yield _wait_for_end(worker, delay_s, signalled)
            rig.workers.remove(worker)
            worker.log.unlink()  # the next one has a log of the same name


def _publish(settings: Settings, number: int) -> None:
    publisher, occurred_at = Publisher(settings.broker), instant(int(time.time()))
    for index in range(2000):
        learner = f"l{index % 50}"
        event = {"type": "activity", "event_id": f"{number}-{index}", "learner": learner, "course_run": "c/1"}
        event |= {"kind": "video", "occurred_at": occurred_at}
        publisher.send(settings.prefix + EVENTS.name, json.dumps(event).encode(), learner)
    publisher.flush_now()


def _await_first_line(worker: WorkerProcess) -> None:
    deadline = time.monotonic() + BEGIN_S
    while "worker of group" not in worker.log.read_text():
        worker.check()
        if time.monotonic() > deadline:
            raise TimeoutError(f"a worker said nothing for {BEGIN_S:.0f} s")
        time.sleep(0.02)


def _wait_for_end(worker: WorkerProcess, delay_s: float, signalled: float) -> Stop:
    try:
        code = worker.process.wait(90)
    except subprocess.TimeoutExpired:
        worker.kill()
        code = -9
    text = worker.log.read_text()
    return Stop(delay_s, time.monotonic() - signalled, code, text.count("Traceback"), text)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("tries", type=int)
    parser.add_argument("--broker", default="")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    with ExitStack() as stack, tempfile.TemporaryDirectory(prefix="homeroom-stops-") as folder:
        broker = options.broker or stack.enter_context(ApacheKafka()).address
        settings = Settings(
            _env_file=None,
            broker=broker,
            prefix=f"stops{time.time_ns()}.",
            store="",
            pseudonym_key=SecretStr("0123456789abcdef"),
            session_timeout_s=10.0,
            metrics_port=0,
            partitions=6,
        )
        rig = stack.enter_context(Rig(Path(folder), settings, broker=False, store=False))
        results = []
        for stop in stops(rig, options.tries, options.seed):
            results.append(stop)
            summary = f"after {stop.after_s:4.1f} s: code {stop.code} in {stop.seconds:4.1f} s"
            print(f"{summary}, {stop.traces} tracebacks", flush=True)
            if stop.code or stop.traces:
                print(stop.log, flush=True)
    codes = ", ".join(f"{count} × {code}" for code, count in sorted(Counter(s.code for s in results).items()))
    slowest = max(stop.seconds for stop in results)
    traces = sum(stop.traces for stop in results)
    print(f"{len(results)} stops: codes {codes}; slowest {slowest:.1f} s; {traces} tracebacks")


if __name__ == "__main__":
    main()
