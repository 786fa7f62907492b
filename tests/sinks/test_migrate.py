from collections.abc import Iterator
from dataclasses import replace

import pytest

from sinks.address import StoreAddress
from sinks.migrate import Migration, MigrationError, applied, migrate, migrations
from sinks.store import ClickHouseWriter
from sinks.tables import TABLES
from tests.stores import fresh_database

ALL = [str(step) for step in migrations()]


@pytest.fixture
def empty(store: StoreAddress) -> Iterator[StoreAddress]:
    with fresh_database(store, migrated=False) as address:
        yield address


def tables(address: StoreAddress) -> set[str]:
    with ClickHouseWriter(address) as writer:
        return {name for (name,) in writer.command("SHOW TABLES")} - {"schema_migrations"}


def test_up_again_down_and_up(empty: StoreAddress) -> None:
    assert migrate(empty) == [f"up {name}" for name in ALL]
    whole = tables(empty)
    assert whole == set(TABLES) | {
        "risk_now",
        *(f"standing_{name}_mv" for name in ("estimate", "change", "fact", "moved")),
        "former_names_mv",
        *(f"first_{name}_mv" for name in ("risk_change", "decision", "policy", "model_event")),
    }
    assert migrate(empty) == []
    assert migrate(empty, 1) == [f"down {name}" for name in reversed(ALL[1:])]
    assert tables(empty) == {"activity_hourly", "engagement_daily"}
    assert migrate(empty, 0) == [f"down {ALL[0]}"]
    assert tables(empty) == set()
    assert migrate(empty) == [f"up {name}" for name in ALL]
    assert tables(empty) == whole


def test_the_database_is_made(empty: StoreAddress) -> None:
    other = replace(empty, database=f"{empty.database}_new")
    migrate(other, 1)
    with ClickHouseWriter(empty) as writer:
        writer.command(f"DROP DATABASE {other.database}")


def test_a_migration_that_was_cut_off_is_finished(empty: StoreAddress) -> None:
    migrate(empty, 0)
    with ClickHouseWriter(empty) as writer:
        writer.command(migrations()[0].up[0])  # made, and then the process died
    migrate(empty, 1)
    assert tables(empty) == {"activity_hourly", "engagement_daily"}


def test_a_changed_migration_is_named(empty: StoreAddress) -> None:
    migrate(empty)
    first, *others = migrations()
    changed = (replace(first, checksum="0" * 64), *others)
    with pytest.raises(MigrationError, match="migration 0001_activity was applied and has changed"):
        migrate(empty, steps=changed)


def test_a_store_of_a_later_release_is_left_alone(empty: StoreAddress) -> None:
    migrate(empty)
    with pytest.raises(MigrationError, match=f"the store has migration {ALL[-1]}"):
        migrate(empty, steps=migrations()[:-1])
    with ClickHouseWriter(empty) as writer:
        assert list(applied(writer)) == list(range(1, len(ALL) + 1))


@pytest.mark.parametrize("target", [-1, 99])
def test_a_target_that_is_none(empty: StoreAddress, target: int) -> None:
    with pytest.raises(MigrationError, match=f"expected 0 to {len(ALL)}, got {target}"):
        migrate(empty, target)


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("first.sql", "-- up\n-- down\n", "expected a name like"),
        ("0001_x.sql", "-- up\nSELECT 1;\n", "one '-- down'"),
        ("0001_x.sql", "-- down\n-- up\n", "one '-- up'"),
    ],
)
def test_a_file_of_another_form(name: str, text: str, words: str) -> None:
    with pytest.raises(MigrationError, match=words):
        Migration.parse(name, text)


def test_comments_and_semicolons_in_lines_do_not_cut_statements() -> None:
    step = Migration.parse("0007_x.sql", "-- why; so\n-- up\nSELECT ';x'; \n-- then;\nSELECT 2;\n-- down\n")
    assert step.up == ("SELECT ';x'", "SELECT 2")
    assert step.down == ()
