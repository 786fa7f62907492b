"""The whole worker on a real broker and the real store engine: nothing lost, nothing twice, whatever happens.

Every run is compared with a straight pass over the same stream in this process: risk changes, decisions and
nudges in all their fields, the packages of the days, and the sums in the store.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest

from sinks.address import StoreAddress
from streams.rig import Rig
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


def assert_straight(rig: Rig) -> None:
    """Topics and store hold what a straight pass makes of the stream, all of it and nothing twice."""
    reference, settings = p.straight(), rig.settings
    found = p.outcome(settings)
    assert found == reference.outcome
    assert p.packages(settings) == reference.packages
    assert p.dead_letters(settings) == {}
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
    assert {"level_not_nudged", "holdout"} < reasons
    assert len(reference.nudges) > 5


@pytest.mark.parametrize("partitions", [1, 5])
def test_a_replay_equals_the_straight_pass(tmp_path: Path, settings: Settings, partitions: int) -> None:
    with p.pipeline(tmp_path, settings.model_copy(update={"partitions": partitions})) as rig:
        rig.publish(p.stream())
        rig.start_worker()
        p.finish(rig)
        assert rig.stop_workers() == [0]
        assert_straight(rig)
