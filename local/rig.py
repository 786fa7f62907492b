"""Everything on one machine: the embedded broker and store, and worker processes around them.

For the demo, replays and tests. The workers are the production command in processes of their own; only
their settings differ.
"""

import json
import os
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from prometheus_client.parser import text_string_to_metric_families
from pydantic import SecretStr

from local.brokers import Broker, EmbeddedBroker, die_with_parent, free_port
from output.folders import STORE
from schemas.errors import HomeroomError
from sinks.address import StoreAddress
from sinks.embedded import EmbeddedStore
from sinks.migrate import migrate
from sources.stream import Published
from streams import topics
from streams.settings import Settings
from streams.source_publisher import Sent, publish

ROOT = Path(__file__).resolve().parent.parent
STOP_S = 60.0
WORKER = ("-m", "cli.main", "worker")
EMBEDDED = {"fetch_wait_ms": 10, "session_timeout_s": 6.0}
"""The embedded broker answers a waiting fetch late when records come, so it is not left to wait; and a
group's first join takes it half the session timeout."""


class RigError(HomeroomError, RuntimeError):
    """Something of the rig did not start, or a worker ended early; the message says what and why."""


@dataclass(slots=True)
class WorkerProcess:
    """One worker as a process of its own, with its log in a file."""

    settings: Settings
    log: Path
    arguments: tuple[str, ...] = WORKER
    process: subprocess.Popen[bytes] = field(init=False)

    def __post_init__(self) -> None:
        """Start it."""
        environment = os.environ | _environment(self.settings)
        environment["PYTHONPATH"] = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])
        with open(self.log, "ab", opener=_unlinked) as log:
            self.process = subprocess.Popen(  # noqa: S603 - our own modules
                (sys.executable, *self.arguments),
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,  # Ctrl-C is for us; the worker is stopped after our last question
                preexec_fn=die_with_parent,  # noqa: PLW1509 - one system call
            )

    def check(self) -> None:
        """Raises ``RigError`` with the log's last lines where the worker has ended."""
        if self.process.poll() is not None:
            raise RigError(f"a worker ended with code {self.process.returncode}:\n{self.tail()}")

    def tail(self, lines: int = 15) -> str:
        """The last lines of its log."""
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:])

    def stop(self) -> int:
        """Ask it to leave a checkpoint and end; returns its exit code."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            return self.process.wait()

    def kill(self) -> None:
        """End it as a crash would."""
        self.process.kill()
        self.process.wait()

    def counts(self) -> dict[str, float]:
        """Metric → sum over its labels; empty while the worker is not up."""
        url = f"http://127.0.0.1:{self.settings.metrics_port}/metrics"
        try:
            with urllib.request.urlopen(url, timeout=2) as answer:
                text = answer.read().decode()
        except OSError:
            return {}
        found: dict[str, float] = {}
        for family in text_string_to_metric_families(text):
            for sample in family.samples:
                found[sample.name] = found.get(sample.name, 0.0) + sample.value
        return found


@dataclass(frozen=True, slots=True)
class Progress:
    """Where a run stands: what was published, and what the workers have done with it."""

    sent: Sent
    applied: int
    duplicates: int
    dead_letters: int
    elapsed_s: float

    @property
    def done(self) -> int:
        return self.applied + self.duplicates + self.dead_letters


class Rig:
    """A broker, a store and workers, started together and ended together.

    broker: one that runs already, else the embedded one is started. store: the same. folder: where data
    and logs lie, which the caller holds (:func:`output.folders.claim_folder`). Use it as a context manager.
    """

    def __init__(self, folder: Path, settings: Settings, *, broker: bool = True, store: bool = True) -> None:
        self.folder = folder
        self.settings = settings
        self.workers: list[WorkerProcess] = []
        self._start_broker = broker
        self._start_store = store
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        self.folder.mkdir(parents=True, exist_ok=True)
        try:
            if self._start_broker:
                broker: Broker = self._stack.enter_context(EmbeddedBroker())
                self.settings = self.settings.model_copy(update=EMBEDDED | {"broker": broker.address})
            if self._start_store:
                store = EmbeddedStore(self.folder / STORE)
                self._stack.callback(store.stop)
                self.settings = self.settings.model_copy(update=_of_store(store.start()))
            address = self.settings.store_address
            if address is not None:
                migrate(address)
            topics.create(
                self.settings.broker,
                self.settings.partitions,
                self.settings.replication,
                self.settings.prefix,
            )
        except BaseException:
            self._stack.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for worker in self.workers:
            worker.stop()
        self._stack.close()

    def start_worker(self, arguments: tuple[str, ...] = WORKER) -> WorkerProcess:
        """One more worker. ``arguments`` are Python's."""
        settings = self.settings.model_copy(update={"metrics_port": free_port(), "metrics_host": "127.0.0.1"})
        worker = WorkerProcess(settings, self.folder / f"worker-{len(self.workers)}.log", arguments)
        self.workers.append(worker)
        return worker

    def publish(self, stream: Iterable[Published], progress: Callable[[Sent], None] = lambda _: None) -> Sent:
        """Publish all of a stream to the rig's broker."""
        return publish(stream, self.settings, progress)

    def follow(self, sent: Sent, started: float) -> Progress:
        """Where the workers stand now. Raises ``RigError`` where one has ended."""
        totals: dict[str, float] = {}
        for worker in self.workers:
            worker.check()
            for name, value in worker.counts().items():
                totals[name] = totals.get(name, 0.0) + value
        return Progress(
            sent,
            int(totals.get("homeroom_events_applied_total", 0)),
            int(totals.get("homeroom_duplicates_total", 0)),
            int(totals.get("homeroom_dead_letters_total", 0)),
            time.monotonic() - started,
        )

    def stop_workers(self) -> list[int]:
        """Stop them gracefully; their exit codes."""
        codes = [worker.stop() for worker in self.workers]
        self.workers.clear()
        return codes

    @property
    def store_address(self) -> StoreAddress:
        """The store's address. Raises ``RigError`` where there is none."""
        address = self.settings.store_address
        if address is None:
            raise RigError("this run has no store")
        return address


@contextmanager
def interruptible(rig: Rig) -> Iterator[Rig]:
    """The rig, ended in order when a signal to terminate comes."""

    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, stop)
    try:
        with rig:
            yield rig
    finally:
        signal.signal(signal.SIGTERM, before)


def _unlinked(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_NOFOLLOW, 0o644)


def _of_store(address: StoreAddress) -> dict[str, Any]:
    return {"store": str(address), "store_password": SecretStr(address.password)}


def _environment(settings: Settings) -> dict[str, str]:
    """Settings as the environment of a process that reads them back; secrets among them."""
    found = {}
    for name, value in settings.model_dump(exclude_none=True).items():
        secret = getattr(value, "get_secret_value", None)
        plain = secret() if secret is not None else value
        found[f"HOMEROOM_{name.upper()}"] = str(plain) if isinstance(plain, str | Path) else json.dumps(plain)
    return found
