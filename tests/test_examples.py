"""Every program of ``examples/`` runs, on the real parts, and says what it is for; so do the doctests."""

import doctest
import functools
import hashlib
import importlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from confluent_kafka import Consumer, Producer

from schemas.inbound import event_adapter
from schemas.nudge import Nudge, NudgeCancelled
from tests.brokers import TestBroker
from tests.required import lacking

ROOT = Path(__file__).parent.parent
EXAMPLES = ROOT / "examples"
PACKAGES = ("package.json", "package-lock.json")
TIMEOUT_S = 240

PRINTED = {
    "ten_lines.py": r"\d\d \w{3} cy low → medium: no activity .*\n\d\d \w{3} cy medium → high: \S.*\n$",
    "embed.py": r"risk changes: \d+ .*\ndecisions: \{.*\nrows of the store: .*risk_daily.*\n2024-",
    "adapter.py": r"30 messages keep to the contract\n\d+ risk changes, 0 dead letters",
    "feature.py": r"shares \[0\.8, 0\.0, 1\.0\] bins \[51, 0, 63\]",
}
"""Of each program that needs nothing but Python: what it prints, as a pattern."""

WITH_BROKER = {"publish_events.py", "consume_nudges.py", "consume_nudges.mjs"}
DOCTESTED = ("engine.api", "examples/adapter.py", "examples/feature.py")


def ran(*command: str, folder: Path = ROOT) -> str:
    """What a command printed; it must end well."""
    done = subprocess.run(
        command,
        cwd=folder,
        env=os.environ | {"PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_every_program_is_run_here() -> None:
    programs = {path.name for path in EXAMPLES.iterdir() if path.suffix in {".py", ".mjs"}}
    assert programs == PRINTED.keys() | WITH_BROKER


@pytest.mark.parametrize("name", PRINTED)
def test_a_program_prints_what_it_is_for(name: str) -> None:
    printed = ran(sys.executable, str(EXAMPLES / name))
    assert re.match(PRINTED[name], printed), printed


def test_the_shortest_one_has_ten_lines() -> None:
    """From the first event to the last print; imports, constants and the text above do not count."""
    text = (EXAMPLES / "ten_lines.py").read_text("utf-8").partition("def activity")[2]
    lines = [line for line in text.splitlines() if line.strip() and '"""' not in line]
    assert len(lines) <= 10


def test_the_campaign_is_a_policy() -> None:
    printed = ran(sys.executable, "-m", "cli.main", "policy", "check", str(EXAMPLES / "campaign.yaml"))
    assert re.match(r"example-[0-9a-f]{12}: campaigns come-back", printed)


@pytest.mark.parametrize("name", DOCTESTED)
def test_doctests(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    if name.endswith(".py"):
        monkeypatch.syspath_prepend(str(EXAMPLES))
        name = Path(name).stem
    result = doctest.testmod(importlib.import_module(name))
    assert result.attempted > 0
    assert result.failed == 0


@pytest.mark.kafka
def test_events_are_published(broker: TestBroker, prefix: str) -> None:
    topic = created(broker, f"{prefix}homeroom.events")
    assert ran(sys.executable, str(EXAMPLES / "publish_events.py"), broker.address, prefix) == (
        "published 3 events\n"
    )
    records = consumed(broker, topic, 3)
    assert sorted(key for key, _ in records) == [b"u-1", b"u-1", b"u-2"]
    for key, value in records:
        assert dict(event_adapter.validate_json(value))["learner"] == key.decode()


@pytest.mark.kafka
def test_nudges_are_consumed_in_python(broker: TestBroker, prefix: str) -> None:
    publish_nudges(broker, prefix)
    assert ran(sys.executable, str(EXAMPLES / "consume_nudges.py"), broker.address, prefix) == CONSUMED


@pytest.mark.kafka
def test_nudges_are_consumed_in_node(broker: TestBroker, prefix: str) -> None:
    if not broker.apache:
        lacking("kafka", "kafkajs speaks to Apache Kafka; this is the embedded broker")
    folder = node_folder()
    publish_nudges(broker, prefix)
    assert ran("node", "consume_nudges.mjs", broker.address, prefix, folder=folder) == CONSUMED


# -- what they need ---------------------------------------------------------------------------------------

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
CONSUMED = "to u-1 by email at 2026-03-02T12:00Z: Come back.\n"
"""Of two nudges, one of which came twice and the other was taken back."""


def nudge(name: str, learner: str) -> Nudge:
    return Nudge(
        nudge_id=name,
        risk_change_id=f"change-{name}",
        learner=learner,
        course_run="course-a/2026",
        campaign="come-back",
        channel="email",
        decided_at=NOON - timedelta(hours=3),
        send_at=NOON,
        expires_at=NOON + timedelta(days=2),
        goal="active again",
        text="Come back.",
        reasons=["no activity for 9 days"],
    )


def publish_nudges(broker: TestBroker, prefix: str) -> None:
    topic = created(broker, f"{prefix}homeroom.nudges")
    kept, cancelled = nudge("n-1", "u-1"), nudge("n-2", "u-2")
    taken_back = NudgeCancelled(
        nudge_id="n-2", learner="u-2", course_run="course-a/2026", cancelled_at=NOON, reason="recovered"
    )
    producer = Producer({"bootstrap.servers": broker.address})
    for message in (kept, cancelled, taken_back, kept):
        producer.produce(topic, message.model_dump_json().encode(), message.learner.encode())
    assert producer.flush(60) == 0


def created(broker: TestBroker, topic: str) -> str:
    """The topic, of one partition, so that what was sent first is read first."""
    from confluent_kafka.admin import AdminClient, NewTopic  # type: ignore[attr-defined]

    admin = AdminClient({"bootstrap.servers": broker.address, "log_level": 0})
    admin.create_topics([NewTopic(topic, 1, 1)])[topic].result(timeout=30)
    return topic


def consumed(broker: TestBroker, topic: str, count: int) -> list[tuple[bytes, bytes]]:
    """Key and value of the first records of a topic."""
    settings = {"bootstrap.servers": broker.address, "group.id": topic, "auto.offset.reset": "earliest"}
    consumer = Consumer(settings)
    consumer.subscribe([topic])
    try:
        messages: list[tuple[bytes, bytes]] = []
        while len(messages) < count:
            record = consumer.poll(60)
            assert record is not None, f"{len(messages)} of {count} records came"
            assert record.error() is None
            messages.append((record.key() or b"", record.value() or b""))
        return messages
    finally:
        consumer.close()


@functools.cache
def node_folder() -> Path:
    """A folder with the Node.js example and what it imports, installed once for each state of its lock."""
    if missing := [tool for tool in ("node", "npm") if shutil.which(tool) is None]:
        pytest.skip(f"the example needs {' and '.join(missing)}")
    digest = hashlib.sha256(b"".join((EXAMPLES / name).read_bytes() for name in PACKAGES)).hexdigest()[:16]
    folder = ROOT / ".cache" / "examples" / f"packages-{digest}"
    if not folder.exists():
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder.parent, prefix="unfinished-") as unfinished:
            whole = Path(unfinished) / "whole"
            whole.mkdir()
            for name in PACKAGES:
                shutil.copy(EXAMPLES / name, whole)
            ran("npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error", folder=whole)
            whole.rename(folder)
    shutil.copy(EXAMPLES / "consume_nudges.mjs", folder)
    return folder
