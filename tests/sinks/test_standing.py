"""How enrolments stand, against the rows it is kept from: before the migration, after it, late and twice."""

from collections.abc import Iterator
from datetime import UTC, date, datetime
from typing import Any

import pytest

from console.models import Risk
from console.queries import risks
from console.readers import Readers
from schemas.risk import RiskLevel
from sinks.address import StoreAddress
from sinks.migrate import migrate
from sinks.store import ClickHouseWriter
from sinks.tables import TABLES
from tests.stores import fresh_database

RUN, LEARNER = "a/now", "0123456789abcdef"
BEFORE = 11
"""The last migration without the table."""

TWO = 13
"""The last one with two tables of the newest estimate."""

UNRELIEVED = 14
"""The last one that forgets what would bring a risk down."""


@pytest.fixture
def empty(store: StoreAddress) -> Iterator[StoreAddress]:
    with fresh_database(store, migrated=False) as mine:
        yield mine


def put(writer: ClickHouseWriter, table: str, **values: Any) -> None:
    """A row; what is not given is empty."""
    of_type = {"Date": date(2026, 1, 1), "String": "", "Array": [], "Nullable": None}
    row = {
        name: values.get(name, next((value for kind, value in of_type.items() if kind in declared), 0))
        for name, declared in TABLES[table].columns.items()
    }
    row = {"learner": LEARNER, "course_run": RUN} | {
        name: value for name, value in row.items() if name not in ("learner", "course_run")
    }
    row |= {name: datetime(2026, 1, 1, tzinfo=UTC) for name in ("occurred_at", "at") if name in row} | values
    writer.write(table, {name: [value] for name, value in row.items()})


def estimate(writer: ClickHouseWriter, day: int, level: RiskLevel, probability: float) -> None:
    put(
        writer,
        "risk_history",
        day=date(2026, 3, day),
        level=level,
        probability=probability,
        version=day,
        model_state="serving",
    )


def change(
    writer: ClickHouseWriter, day: int, before: RiskLevel, reason: str, reliefs: tuple[str, ...] = ()
) -> None:
    put(
        writer,
        "risk_changes",
        risk_change_id=f"c{day}",
        day=date(2026, 3, day),
        occurred_at=datetime(2026, 3, day, tzinfo=UTC),
        previous_level=before,
        level="high",
        previous_probability=0.25,
        reasons=[reason],
        contributions=[1.5],
        features=["silence"],
        reliefs=list(reliefs),
        version=day,
    )


def fact(writer: ClickHouseWriter, hour: int, kind: str) -> None:
    moment = datetime(2026, 3, 9, hour, tzinfo=UTC)
    put(writer, "learner_facts", at=moment, fact=kind, fact_id=f"f{hour}")


def standing(address: StoreAddress) -> Risk:
    readers = Readers(address)
    (risk,) = risks.of_learners(readers, (RUN,), [LEARNER])
    readers.close()
    return risk


def listed(address: StoreAddress) -> int:
    readers = Readers(address)
    page = risks.page(readers, (RUN,), date(2026, 3, 9), risks.Filters())
    readers.close()
    return page.total


def test_what_was_written_before_is_taken_over_and_what_comes_after_is_folded_in(empty: StoreAddress) -> None:
    migrate(empty, target=BEFORE)
    with ClickHouseWriter(empty) as writer:
        estimate(writer, 8, "high", 0.75)
        estimate(writer, 5, "medium", 0.5)  # an older one that comes later
        change(writer, 8, "medium", "no activity for 9 days")
        change(writer, 5, "low", "no activity for 6 days")
        migrate(empty)
        before = standing(empty)
        assert (before.day, before.level, before.probability) == (date(2026, 3, 8), "high", 0.75)
        assert (before.previous_level, before.changed_on) == ("medium", date(2026, 3, 8))
        assert [reason.text for reason in before.reasons] == ["no activity for 9 days"]
        assert before.answered is None
        assert listed(empty) == 1
        fact(writer, 6, "helped")
        fact(writer, 5, "in_contact")
        fact(writer, 7, "opened")  # by the learner: no instructor's word
        after = standing(empty)
        assert after.answered is not None
        assert after.answered.kind == "helped"
        estimate(writer, 9, "high", 0.875)
        assert standing(empty) == after.model_copy(update={"day": date(2026, 3, 9), "probability": 0.875})


def test_rows_that_come_again_change_nothing_and_who_is_gone_is_not_listed(empty: StoreAddress) -> None:
    migrate(empty)
    with ClickHouseWriter(empty) as writer:
        change(writer, 8, "medium", "no activity for 9 days")
        assert listed(empty) == 0  # not estimated: a change whose estimate is still to be written
        estimate(writer, 8, "high", 0.75)
        before = standing(empty)
        for table in ("risk_history", "risk_changes"):
            columns = ", ".join(f"`{name}`" for name in TABLES[table].columns)
            writer.command(
                f"INSERT INTO {table} ({columns}) SELECT {columns} FROM {table} "
                "SETTINGS insert_deduplicate = 0, async_insert = 0"
            )
        assert standing(empty) == before
        assert listed(empty) == 1
        writer.command("OPTIMIZE TABLE standing FINAL")
        assert standing(empty) == before
        fact(writer, 3, "withdrawn")
        assert listed(empty) == 0


def test_the_newest_estimate_moves_there_and_back(empty: StoreAddress) -> None:
    now = "SELECT learner, day, probability, level FROM risk_now"
    migrate(empty, target=TWO)
    with ClickHouseWriter(empty) as writer:
        change(writer, 8, "medium", "no activity for 9 days")
        estimate(writer, 8, "high", 0.75)
        estimate(writer, 5, "medium", 0.5)
        before = writer.command(now)
        assert before == [(LEARNER, date(2026, 3, 8), 0.75, "high")]
        migrate(empty)
        assert writer.command(now) == before
        assert standing(empty).reasons
        estimate(writer, 9, "high", 0.875)
        after = writer.command(now)
        assert after == [(LEARNER, date(2026, 3, 9), 0.875, "high")]
        migrate(empty, target=TWO)
        assert writer.command(now) == after
        assert writer.command("SELECT count() FROM risk_latest FINAL") == [(1,)]
        newest = writer.command("SELECT argMaxMerge(risk) FROM standing GROUP BY course_run, learner")
        assert newest == [((date(2026, 3, 9), 0.875, "high", "serving"),)]


def test_what_would_bring_the_risk_down_is_that_of_the_last_change(empty: StoreAddress) -> None:
    migrate(empty, target=UNRELIEVED)
    with ClickHouseWriter(empty) as writer:
        estimate(writer, 8, "high", 0.75)
        change(writer, 8, "medium", "no activity for 9 days", ("active again: 41 %",))
        change(writer, 5, "low", "no activity for 6 days", ("active again: 30 %",))
        migrate(empty)
        assert [reason.relief for reason in standing(empty).reasons] == ["active again: 41 %"]
        change(writer, 9, "medium", "2 deadlines missed in a row", ("",))
        assert [reason.relief for reason in standing(empty).reasons] == [None]
        change(writer, 10, "medium", "no activity for 11 days")  # as a store of before there were any has it
        assert [reason.relief for reason in standing(empty).reasons] == [None]
        change(writer, 11, "medium", "no activity for 12 days", ("active again: 52 %",))
        before = standing(empty)
        assert [reason.relief for reason in before.reasons] == ["active again: 52 %"]
        migrate(empty, target=UNRELIEVED)
        query = "SELECT argMaxMerge(change).1, argMaxMerge(why).1 FROM standing GROUP BY course_run, learner"
        assert writer.command(query) == [(datetime(2026, 3, 11, tzinfo=UTC), ["no activity for 12 days"])]
        change(writer, 12, "medium", "no activity for 13 days", ("active again: 53 %",))
        migrate(empty)
        assert [reason.relief for reason in standing(empty).reasons] == ["active again: 53 %"]


def test_it_goes_back(empty: StoreAddress) -> None:
    migrate(empty)
    migrate(empty, target=BEFORE)
    with ClickHouseWriter(empty) as writer:
        names = {row[0] for row in writer.command("SHOW TABLES")}
    assert not {name for name in names if name.startswith("standing")}
