"""In a real store, the history of merged accounts and renamed runs is found under the name that stays."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from cli.learner_history import history_of, names_of
from console.queries import learners
from console.readers import Readers
from engine.outputs import Outputs
from sinks.address import StoreAddress
from sinks.store import ClickHouseWriter, StoreReader
from tests.engine.accounts.streams import DAY, RUN, before, busy_learners, merge, play, rename, term, under
from tests.stores import fresh_database, real_server_or_embedded
from tests.streams.pipeline import IDENTITY

WHO = busy_learners()[0]
OLD, OLDEST = "an account of before", "the first account"
NEW = "a/renamed"


@contextmanager
def store_with(outputs: Outputs, directory: Path) -> Iterator[StoreAddress]:
    with real_server_or_embedded(directory) as server, fresh_database(server) as address:
        with ClickHouseWriter(address) as writer:
            for table, columns in outputs.rows.items():
                writer.write(table, columns)
        yield address


def test_one_history_over_two_merges_and_a_new_name(tmp_path: Path) -> None:
    messages = under(under(term(), WHO, OLD, before(DAY + 1)), OLD, OLDEST, before(DAY - 3))
    told = play([*messages, *merge(OLDEST, OLD, DAY - 3.6), *merge(OLD, WHO), rename(NEW, DAY + 3.4)], 3)
    who, old, oldest = (IDENTITY.learner(name) for name in (WHO, OLD, OLDEST))
    with store_with(told.outputs, tmp_path / "store") as address:
        with StoreReader(address) as reader:
            assert set(names_of(reader, who)) == {who, old, oldest}
            texts = [entry.text for entry in history_of(reader, who)]
            ended = "SELECT learner, course_run FROM standing GROUP BY ALL HAVING max(gone_at) > 0"
            gone = reader.query(ended).rows
            by_name = reader.query(
                "SELECT learner, count() FROM risk_history FINAL WHERE learner IN %(who)s GROUP BY learner",
                {"who": [who, old, oldest]},
            ).rows
        readers = Readers(address)
        names = learners.names_of(readers, NEW, who)
        points, _ = learners.history(readers, names)
        readers.close()
    assert f"the account goes on as {who}" in texts
    assert (NEW, who) in names
    assert {learner for _, learner in names} == {who, old, oldest}
    assert len(points) == sum(count for _, count in by_name) > 3
    assert {(old, RUN), (oldest, RUN), (who, RUN)} <= set(gone)
