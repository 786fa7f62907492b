"""The whole worker on a real broker and the real store engine: nothing lost, nothing twice, whatever happens.

Every run is compared with a straight pass over the same stream in this process: risk changes, decisions and
nudges in all their fields, the packages of the days, and the sums in the store.
"""

import json
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from engine.state.row_layout import VERSION
from local.brokers import free_port
from local.rig import Rig
from schemas.topics import EVENTS
from sinks.address import StoreAddress
from sinks.embedded import EmbeddedStore
from sinks.store import StoreReader
from sources.stream import DAY, instant
from streams.publisher import Publisher
from streams.settings import Settings
from tests.brokers import TestBroker
from tests.stores import fresh_database, real_server_or_embedded
from tests.streams import pipelines as p

pytestmark = [pytest.mark.kafka, pytest.mark.apache]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StoreAddress]:
    """One store for all tests here."""
    with real_server_or_embedded(tmp_path_factory.mktemp("store")) as address:
        yield address


@pytest.fixture
def store(server: StoreAddress) -> Iterator[StoreAddress]:
    """A database of the test's own."""
    with fresh_database(server) as address:
        yield address


@pytest.fixture
def settings(broker: TestBroker, prefix: str, store: StoreAddress) -> Settings:
    return p.settings_of(broker.address, prefix, store)


def assert_straight(rig: Rig, letters: int = 0) -> None:
    """Topics and store hold what a straight pass makes of the stream, all of it and nothing twice."""
    reference, settings = p.straight(), rig.settings
    outcome = p.outcome(settings)
    assert outcome == reference.outcome
    assert p.learned(p.packages(settings)) == p.learned(reference.packages)
    assert len(p.dead_letters(settings)) == letters
    address = rig.store_address
    assert p.sums(address) == (reference.activities, reference.clicks)
    assert p.ids_in(address, "risk_changes", "risk_change_id") == set(reference.outcome.risk_changes)
    assert p.ids_in(address, "nudge_ledger", "decision_id") == set(reference.outcome.decisions)
    assert p.metric_days(address) == set(reference.packages)


def test_the_stream_has_everything_in_it() -> None:
    """Or the tests below would show little."""
    reference = p.straight().outcome
    states = {p.field_of(value, "model_state") for value in reference.risk_changes.values()}
    reasons = {p.field_of(value, "reason") for value in reference.decisions.values()}
    assert states == {"warming_up", "serving"}
    assert {"level_not_nudged", "study_time", "warming_up", "holdout"} <= reasons
    assert len(reference.nudges) > 5


def test_a_replay_equals_the_straight_pass(tmp_path: Path, settings: Settings) -> None:
    """In one partition; the tests below have two and five."""
    with p.pipeline(tmp_path, settings.model_copy(update={"partitions": 1})) as rig:
        rig.publish(p.stream())
        rig.start_worker()
        p.finish(rig)
        assert rig.stop_workers() == [0]
        assert_straight(rig)


def test_shuffled_doubled_and_killed_twice(tmp_path: Path, settings: Settings) -> None:
    messages = p.doubled(p.shuffled(p.stream()))
    with p.pipeline(tmp_path, settings) as rig:
        sent = rig.publish(messages)
        for share in (0.2, 0.3):
            worker = rig.start_worker()
            p.wait_applied(rig, share * sent.records)
            before = p.committed(settings)
            p.kill(rig, worker)
            assert p.committed(settings) != p.ends(settings), "it was killed in the middle"
            assert all(now >= then for now, then in zip(p.committed(settings), before, strict=True))
        rig.start_worker()
        p.finish(rig)
        assert rig.stop_workers() == [0]
        assert_straight(rig)
        copies = len(messages) - len(p.stream())
        assert p.clocks(settings) == (sent.records - copies, copies, 0)


def test_workers_come_go_and_die_while_they_share_the_partitions(tmp_path: Path, settings: Settings) -> None:
    settings = settings.model_copy(update={"partitions": 5})
    messages = p.stream()
    parts = [messages[: len(messages) // 3], messages[len(messages) // 3 : -2000], messages[-2000:]]
    with p.pipeline(tmp_path, settings) as rig:
        sent = rig.publish(parts[0]).records
        first = rig.start_worker()
        p.wait_until(rig, lambda: p.applied_by(first) > 0, "the first works")
        second = rig.start_worker()
        p.wait_until(rig, lambda: "assigned" in second.tail(), "the second has its share")
        sent += rig.publish(parts[1]).records
        before = p.applied_by(second)
        p.wait_until(rig, lambda: p.applied_by(second) > before, "the second works")
        p.kill(rig, first)
        assert p.committed(settings) != p.ends(settings), "it was killed in the middle"
        sent += rig.publish(parts[2]).records
        rig.start_worker()
        p.finish(rig)
        assert rig.stop_workers() == [0, 0]
        assert_straight(rig)
        assert p.clocks(settings) == (sent, 0, 0)


def test_a_graceful_stop_acks_what_it_applied_and_the_trainer_goes_on_where_it_was(
    tmp_path: Path, settings: Settings
) -> None:
    messages = p.stream()
    half = len(messages) // 2
    with p.pipeline(tmp_path, settings) as rig:
        first = rig.publish(messages[:half])
        rig.start_worker()
        p.finish(rig)
        assert rig.stop_workers() == [0]
        assert p.committed(settings) == p.ends(settings)
        day, examples = p.newest_model(settings)

        second = rig.publish(messages[half:])
        worker = rig.start_worker()
        p.finish(rig)
        p.wait_until(rig, lambda: p.applied_by(worker) >= second.records, "it counts what is new")
        assert p.applied_by(worker) == second.records
        assert rig.stop_workers() == [0]
        assert f"trainer: goes on after day {day} with {examples} examples" in worker.log.read_text()
        assert p.clocks(settings) == (first.records + second.records, 0, 0)
        assert_straight(rig)


def test_a_stop_in_the_middle_of_a_day(tmp_path: Path, settings: Settings) -> None:
    with p.pipeline(tmp_path, settings) as rig:
        sent = rig.publish(p.stream())
        for share in (0.1, 0.2):
            rig.start_worker()
            p.wait_applied(rig, share * sent.records)
            assert rig.stop_workers() == [0]
            assert p.committed(settings) != p.ends(settings), "it was stopped in the middle"
        rig.start_worker()
        p.finish(rig)
        assert rig.stop_workers() == [0]
        assert_straight(rig)
        assert p.clocks(settings) == (sent.records, 0, 0)


def test_an_error_in_the_processor_acks_nothing(tmp_path: Path, settings: Settings) -> None:
    """The batch that it fails on, and those behind it, come back to the next worker."""
    with p.pipeline(tmp_path, settings) as rig:
        rig.publish(p.stream())
        failing = rig.start_worker(("-m", "tests.streams.failing_worker", "15"))
        assert failing.process.wait(240) == 1
        rig.workers.clear()
        log = failing.log.read_text()
        partition, first = p.failed_at(log)
        assert f"partition {partition} failed, the worker stops: a test's error" in log
        assert p.committed(settings)[partition] <= first
        rig.start_worker()
        p.finish(rig)
        assert rig.stop_workers() == [0]
        assert_straight(rig)


def test_a_store_that_is_away_holds_the_pipeline_back(
    tmp_path: Path, broker: TestBroker, prefix: str
) -> None:
    server = EmbeddedStore(tmp_path / "store", port=free_port())
    settings = p.settings_of(broker.address, prefix, server.start())
    try:
        with p.pipeline(tmp_path, settings) as rig:
            sent = rig.publish(p.stream())
            worker = rig.start_worker()
            p.wait_applied(rig, 0.2 * sent.records)
            server.stop()
            p.wait_until(
                rig, lambda: "the store is away, the pipeline waits" in worker.tail(30), "it says so"
            )
            time.sleep(2)  # for acks of what the store had taken
            before = p.committed(settings)
            time.sleep(3)
            assert p.committed(settings) == before != p.ends(settings)
            assert worker.counts()["homeroom_committed_offset_age_seconds"] > 3
            server.start()
            p.finish(rig)
            assert rig.stop_workers() == [0]
            assert_straight(rig)
            assert p.clocks(settings) == (sent.records, 0, 0)
    finally:
        server.stop()


def test_a_worker_can_be_stopped_while_the_store_is_away(
    tmp_path: Path, broker: TestBroker, prefix: str
) -> None:
    server = EmbeddedStore(tmp_path / "store", port=free_port())
    settings = p.settings_of(broker.address, prefix, server.start())
    try:
        with p.pipeline(tmp_path, settings) as rig:
            sent = rig.publish(p.stream())
            worker = rig.start_worker()
            p.wait_applied(rig, 0.2 * sent.records)
            server.stop()
            p.wait_until(
                rig, lambda: "the store is away, the pipeline waits" in worker.tail(30), "it says so"
            )
            worker.process.terminate()
            assert worker.process.wait(40) == 0, worker.tail(40)
            rig.workers.clear()
            assert p.committed(settings) != p.ends(settings)
            server.start()
            rig.start_worker()
            p.finish(rig)
            assert rig.stop_workers() == [0]
            assert_straight(rig)
    finally:
        server.stop()


def test_state_of_another_version_ends_the_worker_with_what_to_do(tmp_path: Path, settings: Settings) -> None:
    with p.pipeline(tmp_path, settings) as rig:
        p.write_state(settings, [(b"mark", b'{"version": 999, "features": "of another release"}')])
        worker = rig.start_worker()
        assert worker.process.wait(60) == 1
        rig.workers.clear()
        assert f"expected {VERSION} and" in worker.log.read_text()
        assert "replay the events into a fresh state topic" in worker.log.read_text()


def test_bad_records_become_dead_letters_and_nothing_else_is_touched(
    tmp_path: Path, settings: Settings
) -> None:
    messages = p.stream()
    half = len(messages) // 2
    bad = bad_records(messages[half].occurred_at)
    with p.pipeline(tmp_path, settings) as rig:
        sent = rig.publish(messages[:half]).records
        publisher = Publisher(settings.broker)
        for key, value, *_ in bad:
            publisher.send(settings.prefix + EVENTS.name, value, key, partition=1)
        publisher.flush_now()
        sent += rig.publish(messages[half:]).records
        rig.start_worker()
        p.finish(rig)
        assert rig.stop_workers() == [0]
        assert_straight(rig, letters=len(bad))
        assert p.clocks(settings) == (sent, 0, len(bad))

        letters = p.dead_letters(settings)
        expected = sorted((reason, field) for _, _, reason, field in bad)
        assert sorted((letter["reason"], letter["field"]) for letter in letters.values()) == expected
        assert all(letter["detail"] and len(letter["payload"]) <= 4096 for letter in letters.values())
        with StoreReader(rig.store_address) as reader:
            rows = reader.query("SELECT dead_letter_id, reason, field FROM dead_letters FINAL").rows
        assert sorted(rows) == sorted(
            (name, letter["reason"], letter["field"]) for name, letter in letters.items()
        )


def bad_records(now: int) -> list[tuple[bytes | None, bytes | None, str, str]]:
    """Key, value, and the reason and field of the dead letter that it must become. ``now``: event time."""

    def activity(number: int, **changes: object) -> bytes:
        good = {"type": "activity", "event_id": f"bad-{number}", "learner": "bad", "course_run": "bad/1"}
        good |= {"kind": "video", "occurred_at": instant(now)}
        return json.dumps({name: value for name, value in (good | changes).items() if value != ""}).encode()

    key = b"bad"
    return [
        (key, b"{not json", "malformed", "value"),
        (key, b"\xff\xfe\x00", "malformed", "value"),
        (key, b"[1, 2]", "malformed", "value"),
        (key, None, "malformed", "value"),
        (key, activity(1, learner=7), "invalid", "learner"),
        (key, activity(2, course_run=["bad/1"]), "invalid", "course_run"),
        (key, activity(3, event_id=""), "invalid", "event_id"),
        (key, activity(4, occurred_at="yesterday"), "invalid", "occurred_at"),
        (key, activity(5, kind="telepathy"), "unknown_kind", "kind"),
        (key, activity(6, type="party"), "unknown_type", "type"),
        (key, activity(7, occurred_at=instant(now + 40 * DAY)), "future", "occurred_at"),
        (key, activity(8, occurred_at=instant(now - 60 * DAY)), "too_late", "occurred_at"),
        (key, activity(9, object="x" * 1_000_000), "too_large", "value"),
        (None, activity(10), "no_key", "key"),
        (b"somebody", activity(11), "wrong_key", "key"),
    ]
