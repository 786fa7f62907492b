from collections.abc import Iterator

import pytest

from sinks.address import StoreAddress
from sinks.store import ClickHouseWriter, StoreReader
from tests.stores import fresh_database, real_server_or_embedded


@pytest.fixture(scope="session")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StoreAddress]:
    with real_server_or_embedded(tmp_path_factory.mktemp("store")) as address:
        yield address


@pytest.fixture
def database(store: StoreAddress) -> Iterator[StoreAddress]:
    """A database of the test's own, with all tables."""
    with fresh_database(store) as address:
        yield address


@pytest.fixture
def writer(database: StoreAddress) -> Iterator[ClickHouseWriter]:
    with ClickHouseWriter(database) as writer:
        yield writer


@pytest.fixture
def reader(database: StoreAddress) -> Iterator[StoreReader]:
    with StoreReader(database) as reader:
        yield reader
