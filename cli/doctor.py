"""The checks of ``homeroom doctor``: what a worker needs, one finding a line."""

import platform
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from cli.pins import pins
from engine.pieces import RECORD_BYTES
from sinks.address import StoreAddress
from sinks.errors import StoreError
from sinks.migrate import MigrationError, pending
from sinks.store import StoreReader
from streams import topics
from streams.settings import MIN_KEY_CHARS, Settings


@dataclass(frozen=True, slots=True)
class Finding:
    """The result of one check. An error keeps the pipeline from working; other findings do not."""

    subject: str
    is_error: bool
    message: str


def run_checks(settings: Settings) -> Iterator[Finding]:
    """Run all checks in order; an error in one does not prevent the later ones."""
    checks: tuple[Callable[[Settings], Iterator[Finding]], ...] = (_versions, _secrets, _topics, _store)
    for check in checks:
        yield from check(settings)


def _versions(_: Settings) -> Iterator[Finding]:
    python = platform.python_version()
    supported = ("3.11", "3.12", "3.13")
    unsupported = not python.startswith(supported)
    yield Finding(
        "python",
        unsupported,
        f"{python}" + (f"; expected one of {', '.join(supported)}" if unsupported else ""),
    )
    for pin in pins():
        found = pin.installed or "is not installed"
        expected = f"; expected {pin.release}" if pin.is_broken else ""
        yield Finding(pin.package, pin.is_broken, found + expected)


def _secrets(settings: Settings) -> Iterator[Finding]:
    key = settings.pseudonym_key.get_secret_value()
    if len(key) < MIN_KEY_CHARS:
        message = f"HOMEROOM_PSEUDONYM_KEY has {len(key)} characters; expected at least {MIN_KEY_CHARS}: "
        yield Finding(
            "pseudonyms", settings.clock == "live", message + "pseudonyms in the store can be guessed"
        )
    else:
        yield Finding("pseudonyms", False, "keyed")


def _topics(settings: Settings) -> Iterator[Finding]:
    try:
        states = topics.describe(settings.broker, settings.partitions, None, settings.prefix)
    except topics.TopicsError as error:
        yield Finding("broker", True, str(error))
        return
    yield Finding("broker", False, f"answers on {settings.broker}")
    for state in states:
        for fault in state.faults:
            yield Finding("topics", True, fault)
        for remark in state.remarks:
            yield Finding("topics", False, remark)
    if not any(state.faults for state in states):
        yield Finding("topics", False, f"all {len(states)} are there")
    limits = [state.limit for state in states if state.limit is not None]
    if limits and min(limits) >= RECORD_BYTES:
        message = f"of {min(limits):,} bytes fit into every topic; ours have {RECORD_BYTES:,} at most"
        yield Finding("records", False, message)


def _store(settings: Settings) -> Iterator[Finding]:
    address = settings.store_address
    if address is None:
        yield Finding("store", False, "none is set: aggregates go nowhere")
        return
    try:
        with StoreReader(address) as reader:
            release = reader.query("SELECT version()").rows[0][0]
        yield Finding("store", False, f"ClickHouse {release} answers on {address}")
        if settings.store_reader and (reads := settings.reader_address):
            with StoreReader(reads) as reader:
                reader.query("SELECT 1")
            yield Finding("store", False, f"and its user {reads.user} may read")
        missing = pending(address)
        message = (
            f"{len(missing)} migrations are missing: run `homeroom migrate`" if missing else "up to date"
        )
        yield Finding("migrations", bool(missing), message)
        if not missing:
            yield from _unknown_fields(address)
            yield from _unknown_names(address)
            yield from _other_roles(address)
    except (StoreError, MigrationError) as error:
        yield Finding("store", True, str(error))


OTHER_ROLES = """SELECT role, uniqExact(course_run) AS runs, sum(events) AS made, max(day) AS last
FROM other_roles_daily FINAL WHERE day > (SELECT max(day) FROM other_roles_daily) - 7
GROUP BY role ORDER BY made DESC, role"""
"""Of the last week of event time."""


def _other_roles(address: StoreAddress) -> Iterator[Finding]:
    with StoreReader(address) as reader:
        rows = reader.query(OTHER_ROLES).rows
    for name, runs, made, last in rows:
        message = (
            f"{made:,} events in {runs:,} runs within a week, the last on {last}; not counted as learners'"
        )
        yield Finding(f"role {name}", False, message)


UNKNOWN_FIELDS = """SELECT field, sum(records) AS carried, max(day) AS last FROM unknown_fields FINAL
WHERE day > (SELECT max(day) FROM unknown_fields) - 7 GROUP BY field ORDER BY carried DESC, field LIMIT 10"""
"""Of the last week of event time."""


UNKNOWN_NAMES = """SELECT topic, name, sum(events) AS seen, max(day) AS last FROM source_events FINAL
WHERE fate = 'unknown' AND day > (SELECT max(day) FROM source_events) - 7
GROUP BY topic, name ORDER BY seen DESC, topic, name LIMIT 10"""
"""Of the last week of the wall clock."""


def _unknown_names(address: StoreAddress) -> Iterator[Finding]:
    with StoreReader(address) as reader:
        rows = reader.query(UNKNOWN_NAMES).rows
    for topic, name, seen, last in rows:
        message = (
            f"{seen:,} within a week on {topic}, the last on {last}; counted as activity of the kind other"
        )
        yield Finding(f"event {name}", False, f"{message}: add it to the vocabulary")


def _unknown_fields(address: StoreAddress) -> Iterator[Finding]:
    with StoreReader(address) as reader:
        rows = reader.query(UNKNOWN_FIELDS).rows
    for name, carried, last in rows:
        message = (
            f"{carried:,} records within a week, the last on {last}; the contract does not know it, and it is"
        )
        yield Finding(f"field {name}", False, f"{message} not read")
