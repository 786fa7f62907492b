"""A store that the real pipeline has filled."""

import io
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import orjson
import pytest
from rich.console import Console

from local.demo import stream_through
from local.rig import Rig
from sinks.address import StoreAddress
from sinks.store import StoreReader
from sources.stream import SourceMessage
from tests.grafana.macros import View
from tests.stores import fresh_database, real_server_or_embedded
from tests.streams.pipelines import settings_of, stream


@pytest.fixture(scope="session")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StoreAddress]:
    """A small simulated term through a broker and a worker: with a tutor, a field that the contract does not
    know, and two records that are none of it."""
    folder = tmp_path_factory.mktemp("boards")
    messages = list(stream())
    index, first = next(
        (index, message) for index, message in enumerate(messages) if b'"activity"' in message.value
    )
    body = orjson.loads(first.value)
    messages[index] = first._replace(value=orjson.dumps({**body, "mood": "cheerful"}))
    tutor = orjson.dumps({**body, "learner": "tutor", "event_id": "tutor/1", "role": "staff"})
    messages.insert(index + 1, first._replace(key="tutor", value=tutor))
    broken = [SourceMessage("l", value, False, messages[-1].occurred_at) for value in (b"{", b"{}")]
    with real_server_or_embedded(folder / "store") as server, fresh_database(server) as address:
        settings = settings_of("127.0.0.1:9", "boards.", address)
        with Rig(folder / "rig", settings, store=False) as rig:
            stream_through(rig, [*messages, *broken], len(messages), Console(file=io.StringIO()))
        yield address


@pytest.fixture(scope="session")
def reader(filled: StoreAddress) -> Iterator[StoreReader]:
    with StoreReader(filled) as store_reader:
        yield store_reader


@pytest.fixture(scope="session")
def whole(reader: StoreReader) -> View:
    """All of the term's days."""
    first, last = reader.query("SELECT min(day), max(day) FROM progress_daily").rows[0]
    start = datetime(first.year, first.month, first.day, tzinfo=UTC)
    return View(start, start + timedelta(days=(last - first).days, hours=23, minutes=59), 86_400)


@pytest.fixture(scope="session")
def just_now() -> View:
    """The hour in which the pipeline ran, by the wall clock."""
    now = datetime.now(UTC).replace(microsecond=0)
    return View(now - timedelta(hours=1), now + timedelta(minutes=10), 10)


@pytest.fixture(scope="session")
def learner(reader: StoreReader) -> str:
    """One of whom there is everything to tell: a nudge, several changes, and how it ended."""
    result = reader.query(
        "SELECT learner FROM nudge_ledger "
        "WHERE decision = 'send' AND learner IN (SELECT learner FROM outcomes) "
        "AND learner IN (SELECT learner FROM risk_changes GROUP BY learner HAVING count() > 1) "
        "ORDER BY learner LIMIT 1"
    )
    return str(result.rows[0][0])


@pytest.fixture(scope="session")
def base(whole: View, just_now: View, learner: str) -> Callable[[str], View]:
    """The time range in which a board has everything."""

    def of(board: str) -> View:
        return just_now if board == "pipeline" else replace(whole, chosen={"learner": (learner,)})

    return of
