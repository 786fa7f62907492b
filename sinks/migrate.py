"""Migrates a store's tables to a version, forwards or backwards, and records which migrations were run.

    migrate(address)              # to the newest
    migrate(address, target=0)    # back to nothing

Which migrations are applied is read from ``schema_migrations``, an append-only table: the last row of
a number decides. An applied migration whose file has changed since is an error, not a surprise.
"""

import hashlib
import re
from dataclasses import dataclass, replace
from importlib import resources

from schemas.errors import HomeroomError
from sinks.address import StoreAddress
from sinks.store import ClickHouseWriter

_FILE = re.compile(r"(?P<number>\d{4})_(?P<name>\w+)\.sql")
_PARTS = re.compile(r"^-- (up|down)\s*$", re.MULTILINE)
_COMMENT = re.compile(r"^\s*--.*$", re.MULTILINE)

_LEDGER = """
CREATE TABLE IF NOT EXISTS schema_migrations
(
    number UInt16,
    name String,
    checksum String,
    applied Bool,
    at DateTime64(6, 'UTC') DEFAULT now64(6)
)
ENGINE = MergeTree
ORDER BY (number, at)
"""


class MigrationError(HomeroomError, RuntimeError):
    """The migrations and the store do not agree; the message names the migration."""


@dataclass(frozen=True, slots=True)
class Migration:
    """One numbered step. ``up`` and ``down`` are single statements, run in order."""

    number: int
    name: str
    checksum: str
    up: tuple[str, ...]
    down: tuple[str, ...]

    @classmethod
    def parse(cls, filename: str, text: str) -> "Migration":
        """Parse a migration's file.

        Raises:
            MigrationError: its name or its parts are not as :mod:`sinks.migrations` describes.
        """
        match = _FILE.fullmatch(filename)
        if match is None:
            raise MigrationError(f"migration {filename}: expected a name like 0001_activity.sql")
        parts = _PARTS.split(text)
        if parts[1::2] != ["up", "down"]:
            raise MigrationError(
                f"migration {filename}: expected one '-- up' and then one '-- down', got {parts[1::2]}"
            )
        checksum = hashlib.sha256(text.encode()).hexdigest()
        up, down = _statements(parts[2]), _statements(parts[4])
        return cls(int(match["number"]), match["name"], checksum, up, down)

    def __str__(self) -> str:
        return f"{self.number:04d}_{self.name}"


def _statements(part: str) -> tuple[str, ...]:
    """Statements end with a semicolon at a line's end."""
    plain = _COMMENT.sub("", part)
    return tuple(text.strip() for text in re.split(r";\s*$", plain, flags=re.MULTILINE) if text.strip())


def migrations() -> tuple[Migration, ...]:
    """All migrations of this release, in order.

    Raises:
        MigrationError: a file is invalid, or their numbers are not 1, 2, 3 … without a gap.
    """
    files = [file for file in resources.files("sinks.migrations").iterdir() if file.name.endswith(".sql")]
    parsed = [Migration.parse(file.name, file.read_text("utf-8")) for file in files]
    ordered = sorted(parsed, key=lambda migration: migration.number)
    if [migration.number for migration in ordered] != list(range(1, len(ordered) + 1)):
        raise MigrationError(
            f"migrations are not numbered 1 to {len(ordered)}: {', '.join(map(str, ordered))}"
        )
    return tuple(ordered)


def applied(writer: ClickHouseWriter) -> dict[int, tuple[str, str]]:
    """Name and checksum of the migrations applied to the store, by number."""
    rows = writer.command(
        "SELECT number, argMax(name, at), argMax(checksum, at) FROM schema_migrations "
        "GROUP BY number HAVING argMax(applied, at) ORDER BY number"
    )
    return {number: (name, checksum) for number, name, checksum in rows}


def migrate(
    address: StoreAddress,
    target: int | None = None,
    steps: tuple[Migration, ...] | None = None,
    *,
    backwards: bool = True,
) -> list[str]:
    """Create the address's database where it is missing, and migrate its tables.

    Args:
        address: of the store, with the database.
        target: number of the migration to migrate to; None: the newest.
        steps: the migrations; None: those of this release.
        backwards: whether migrations may be reverted, which drops tables with their rows.

    Returns:
        What was run, such as ``["up 0001_activity"]``; empty where nothing had to be.

    Raises:
        MigrationError: an applied migration has changed or is unknown here, ``target`` does not exist, or a
            migration would have to be reverted and ``backwards`` is false. Nothing was run then.
        StoreDown, StoreRejected: from the store.
    """
    steps = migrations() if steps is None else steps
    target = len(steps) if target is None else target
    if not 0 <= target <= len(steps):
        raise MigrationError(f"target: expected 0 to {len(steps)}, got {target}")
    with ClickHouseWriter(replace(address, database="default")) as writer:
        writer.command(f"CREATE DATABASE IF NOT EXISTS `{address.database}`")
    with ClickHouseWriter(address) as writer:
        writer.command(_LEDGER)
        done = applied(writer)
        _check(done, steps)
        reverted = [str(step) for step in steps if step.number > target and step.number in done]
        if reverted and not backwards:
            raise MigrationError(
                f"target: {target} takes {len(reverted)} migrations back, {reverted[-1]} to {reverted[0]}, "
                "and drops their tables and columns with all that is in them; expected --force with it"
            )
        return _forwards(writer, steps, done, target) + _backwards(writer, steps, done, target)


def pending(address: StoreAddress) -> list[str]:
    """Names of the migrations that a store lacks.

    Raises:
        StoreError: the store is down, or rejects the query.
    """
    with ClickHouseWriter(address) as writer:
        done = applied(writer)
    return [step.name for step in migrations() if step.number not in done]


def _check(done: dict[int, tuple[str, str]], steps: tuple[Migration, ...]) -> None:
    by_number = {step.number: step for step in steps}
    for number, (name, checksum) in done.items():
        step = by_number.get(number)
        if step is None:
            raise MigrationError(
                f"the store has migration {number:04d}_{name}, which this release does not know"
            )
        if step.checksum != checksum:
            raise MigrationError(f"migration {step} was applied and has changed since: add a new one instead")


def _forwards(
    writer: ClickHouseWriter, steps: tuple[Migration, ...], done: dict[int, tuple[str, str]], target: int
) -> list[str]:
    wanted = [step for step in steps if step.number <= target and step.number not in done]
    for step in wanted:
        for statement in step.up:
            writer.command(statement)
        _record(writer, step, True)
    return [f"up {step}" for step in wanted]


def _backwards(
    writer: ClickHouseWriter, steps: tuple[Migration, ...], done: dict[int, tuple[str, str]], target: int
) -> list[str]:
    unwanted = [step for step in reversed(steps) if step.number > target and step.number in done]
    for step in unwanted:
        for statement in step.down:
            writer.command(statement)
        _record(writer, step, False)
    return [f"down {step}" for step in unwanted]


def _record(writer: ClickHouseWriter, step: Migration, is_applied: bool) -> None:
    row: dict[str, list[object]] = {
        "number": [step.number],
        "name": [step.name],
        "checksum": [step.checksum],
        "applied": [is_applied],
    }
    writer.write("schema_migrations", row)
