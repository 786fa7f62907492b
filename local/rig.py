"""A pipeline on one machine: the embedded broker and store, and worker processes.

For the demo, replays and tests. The workers are the production command, each in its own process; only
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
from sources.stream import SourceMessage
from streams import topics
from streams.settings import Settings
from streams.source_publisher import Sent, publish

ROOT = Path(__file__).resolve().parent.parent
STOP_S = 60.0
WORKER = ("-m", "cli.main", "worker")
EMBEDDED = {"fetch_wait_ms": 10, "session_timeout_s": 6.0}
"""Settings for the embedded broker, which returns a waiting fetch late when records arrive, and needs half
the session timeout for a group's first join."""


class RigError(HomeroomError, RuntimeError):
    """A part of the rig did not start, or a worker exited early; the message says which and why."""


@dataclass(slots=True)
class WorkerProcess:
    """One worker process, with its log in a file."""

    settings: Settings
    log: Path
    arguments: tuple[str, ...] = WORKER
    process: subprocess.Popen[bytes] = field(init=False)

    def __post_init__(self) -> None:
        """Start the process."""
        environment = os.environ | _environment(self.settings)
        environment["PYTHONPATH"] = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])
        with open(self.log, "ab", opener=_open_without_links) as log:
            self.process = subprocess.Popen(  # noqa: S603 - our own modules
                (sys.executable, *self.arguments),
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,  # Ctrl-C reaches this process alone, which stops the worker last
                preexec_fn=die_with_parent,  # noqa: PLW1509 - one system call
            )

    def check(self) -> None:
        """Check that the worker runs.

        Raises:
            RigError: it has exited; with the last lines of its log.
        """
        if self.process.poll() is not None:
            raise RigError(f"a worker ended with code {self.process.returncode}:\n{self.tail()}")

    def tail(self, lines: int = 15) -> str:
        """The last lines of the log."""
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:])

    def stop(self) -> int:
        """Stop gracefully, with a checkpoint; returns the exit code."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            return self.process.wait()

    def kill(self) -> None:
        """SIGKILL, like a crash."""
        self.process.kill()
        self.process.wait()

    def counts(self) -> dict[str, float]:
        """Metric name → sum over its labels; empty while the worker is not up."""
        url = f"http://127.0.0.1:{self.settings.metrics_port}/metrics"
        try:
            with urllib.request.urlopen(url, timeout=2) as response:
                text = response.read().decode()
        except OSError:
            return {}
        totals: dict[str, float] = {}
        for family in text_string_to_metric_families(text):
            for sample in family.samples:
                totals[sample.name] = totals.get(sample.name, 0.0) + sample.value
        return totals


@dataclass(frozen=True, slots=True)
class Progress:
    """Progress of a run: what was published, and what the workers did with it."""

    sent: Sent
    applied: int
    duplicates: int
    dead_letters: int
    elapsed_s: float

    @property
    def processed(self) -> int:
        return self.applied + self.duplicates + self.dead_letters


class Rig:
    """A broker, a store and workers that are started and stopped together; use it as a context manager.

    broker, store: whether to start the embedded one; otherwise that of the settings is used. folder: for
    data and logs; the caller has locked it (:func:`output.folders.taken`).
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
                self.settings = self.settings.model_copy(update=_store_settings(store.start()))
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
        """Start one more worker; ``arguments`` are those of the Python interpreter."""
        settings = self.settings.model_copy(update={"metrics_port": free_port(), "metrics_host": "127.0.0.1"})
        worker = WorkerProcess(settings, self.folder / f"worker-{len(self.workers)}.log", arguments)
        self.workers.append(worker)
        return worker

    def publish(
        self, stream: Iterable[SourceMessage], progress: Callable[[Sent], None] = lambda _: None
    ) -> Sent:
        """Publish a whole stream to the rig's broker."""
        return publish(stream, self.settings, progress)

    def follow(self, sent: Sent, started: float) -> Progress:
        """The current progress of all workers.

        Raises:
            RigError: a worker has exited.
        """
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
        """Stop all workers gracefully; returns their exit codes."""
        codes = [worker.stop() for worker in self.workers]
        self.workers.clear()
        return codes

    @property
    def store_address(self) -> StoreAddress:
        """The store's address.

        Raises:
            RigError: the settings name no store.
        """
        address = self.settings.store_address
        if address is None:
            raise RigError("this run has no store")
        return address


@contextmanager
def interruptible(rig: Rig) -> Iterator[Rig]:
    """The rig, stopped in order on SIGTERM as on SIGINT."""

    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, stop)
    try:
        with rig:
            yield rig
    finally:
        signal.signal(signal.SIGTERM, before)


def _open_without_links(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_NOFOLLOW, 0o644)


def _store_settings(address: StoreAddress) -> dict[str, Any]:
    return {"store": str(address), "store_password": SecretStr(address.password)}


def _environment(settings: Settings) -> dict[str, str]:
    """Settings as the environment of a process that reads them back, secrets included."""
    environment = {}
    for name, value in settings.model_dump(exclude_none=True).items():
        secret = getattr(value, "get_secret_value", None)
        plain = secret() if secret is not None else value
        environment[f"HOMEROOM_{name.upper()}"] = (
            str(plain) if isinstance(plain, str | Path) else json.dumps(plain)
        )
    return environment
