"""What all tests have: none leaves this machine; a broker that they share, and topics of their own."""

import os
import tempfile
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka.admin import AdminClient, NewTopic  # type: ignore[attr-defined]

from local.brokers import BrokerUnavailableError
from tests.brokers import TestBroker, chosen
from tests.loopback import sitecustomize as loopback
from tests.required import lacking

LEFT = Path(tempfile.mkstemp(prefix="homeroom-left-", suffix=".txt")[1])
os.environ[loopback.LOG] = str(LEFT)
os.environ["PYTHONPATH"] = os.pathsep.join(
    filter(
        None,
        [str(Path(loopback.__file__).parent), str(Path(__file__).parents[1]), os.environ.get("PYTHONPATH")],
    )
)  # what every process of a test has: no way out of this machine, and ``python -m tests.…``

BROKER = pytest.StashKey[str]()

MakeTopic = Callable[..., str]


@pytest.fixture(autouse=True)
def _stays_on_this_machine() -> Iterator[None]:
    """Fails the test that asked for another machine, itself or by a process, whatever became of it."""
    before = LEFT.stat().st_size
    yield
    if LEFT.stat().st_size > before:
        pytest.fail(f"left this machine: {LEFT.read_bytes()[before:].decode()}", pytrace=False)


def pytest_unconfigure() -> None:
    LEFT.unlink(missing_ok=True)


@pytest.fixture(scope="session")
def broker(pytestconfig: pytest.Config) -> Iterator[TestBroker]:
    """The broker of this session; started when the first test asks for it."""
    try:
        with chosen() as broker:
            pytestconfig.stash[BROKER] = broker.description
            yield broker
    except BrokerUnavailableError as error:
        pytest.fail(f"no broker for the tests: {error}", pytrace=False)


@pytest.fixture(autouse=True)
def _apache_only(request: pytest.FixtureRequest) -> None:
    if request.node.get_closest_marker("apache") and not request.getfixturevalue("broker").apache:
        lacking("kafka", "shows something of Apache Kafka; this is the embedded broker")


@pytest.fixture
def prefix() -> str:
    """A prefix for topic names and groups that no other test has."""
    return f"t{uuid.uuid4().hex[:10]}."


@pytest.fixture
def make_topic(broker: TestBroker, prefix: str) -> MakeTopic:
    """``make_topic(partitions=4, **config)`` creates a topic of a name of its own and returns the name."""
    admin = AdminClient({"bootstrap.servers": broker.address, "log_level": 0})
    count = 0

    def make(partitions: int = 4, **config: str) -> str:
        nonlocal count
        count += 1
        name = f"{prefix}topic-{count}"
        settings = {key.replace("_", "."): value for key, value in config.items()}
        admin.create_topics([NewTopic(name, partitions, 1, config=settings)])[name].result(timeout=15)
        return name

    return make


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Where files run side by side: hand the broker's name on to the process that prints."""
    description = session.config.stash.get(BROKER, None)
    if description and hasattr(session.config, "workeroutput"):
        session.config.workeroutput["broker"] = description


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any, error: object) -> None:
    description = getattr(node, "workeroutput", {}).get("broker")
    if description:
        node.config.stash[BROKER] = description


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, exitstatus: int, config: pytest.Config
) -> None:
    description = config.stash.get(BROKER, None)
    if description:
        terminalreporter.write_line(f"broker: {description}")
