"""Calendars that come once, by the course facts: all partitions apply them from the same day on."""

from dataclasses import dataclass, field
from typing import Any
from zlib import crc32

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.batch.admission import Timing
from engine.batch.course_facts import decode_course_facts
from engine.batch.records import RecordBatch
from engine.day.fact_application import FactApplication
from engine.processor import PartitionProcessor
from engine.state.partition_state import PartitionState
from online_models.trainer import Trainer
from schemas.learning import DayPackage
from schemas.topics import COURSE_FACTS, EVENTS
from tests.engine.test_processor import DAY_S, calendar, click, fact, instant, sorted_by_time, ticks
from tests.streams.pipeline import IDENTITY, REPLAY, START, CollectedOutputs, Record, batch_of

LAST = 20
LEARNERS = [f"l{number}" for number in range(6)]
WORK = [{"assessment": "a", "due_at": instant(6), "weight": 0.5}]
MOVED = [{"assessment": "a", "due_at": instant(9), "weight": 0.5}]

Published = tuple[int, Record]
"""The day, of the run, whose package is the first to name the record, and the record."""


def published(day: int, deadlines: list[dict[str, Any]], **more: Any) -> Published:
    _, value = calendar(at=day - 0.5, days=LAST - 4, deadlines=deadlines, **more)
    return day, (b"c/r", value)


def events() -> list[Record]:
    """Learners who click every day up to one of their own, and half of whom hand in their work."""
    records = [fact("enrolled", -1, learner=who) for who in LEARNERS]
    for number, who in enumerate(LEARNERS):
        records += [click(day + 0.1, learner=who) for day in range(4 + 2 * number)]
        if number % 2:
            records.append(click(4.2, learner=who, kind="submission", object="a", score=0.75))
        result = "pass" if number % 2 else "fail"
        records.append(fact("completed", LAST - 4 + 0.5, learner=who, result=result))
    return sorted_by_time([*records, *ticks(LAST)])


EVENTS_OF_TERM = events()


@dataclass
class Partition:
    """A processor over its log, which may be made again from its last checkpoint before any step."""

    number: int
    log: list[Record]
    rows: dict[bytes, bytes | None] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.restart()

    def restart(self) -> None:
        stored = [(key, value) for key, value in self.rows.items() if value is not None]
        self.processor = PartitionProcessor(self.number, REPLAY, PartitionState.restore(IDENTITY, stored))

    def read_to_close(self) -> bool:
        """Apply the log up to the day that is due; whether there is one."""
        first = self.processor.applied(EVENTS.name) + 1
        if self.processor.pending == 0 and first < len(self.log):
            self.processor.apply(batch_of(self.log[first:], first))
        return self.processor.due is not None


def course_facts(records: list[Published], after: int, last: int) -> RecordBatch:
    """The records with offsets in (after, last]."""
    return batch_of([one for _, one in records[after + 1 : last + 1]], after + 1, topic=COURSE_FACTS.name)


@dataclass
class Term:
    """What came out of a term."""

    collected: CollectedOutputs
    examples: list[Any]
    calendars: list[dict[str, Any]]


def play(
    count: int,
    records: list[Published],
    restarts: frozenset[tuple[int, int]] = frozenset(),
    stale: frozenset[int] = frozenset(),
) -> Term:
    """Play the term over partitions. restarts: (partition, day) before which it is made again; stale: days
    whose package comes too late for everybody, who go on with the one before."""
    logs: list[list[Record]] = [[] for _ in range(count)]
    for key, value in EVENTS_OF_TERM:
        for number in range(count) if key is None else (crc32(key) % count,):
            logs[number].append((key, value))
    partitions = [Partition(number, log) for number, log in enumerate(logs)]
    trainer, collected, examples = Trainer(count), CollectedOutputs(), list[Any]()
    newest: DayPackage | None = None
    while all(partition.read_to_close() for partition in partitions):
        day = partitions[0].processor.due or 0
        for partition in partitions:
            if (partition.number, day - START) in restarts:
                partition.restart()
                assert partition.read_to_close()
        packages: list[DayPackage] = []
        for partition in partitions:
            for report in partition.processor.close():
                examples += report.examples
                packages += trainer.receive(report)
        known = sum(since <= day - START for since, _ in records) - 1
        package = packages[0].model_copy(update={"course_facts": known})
        is_stale = day - START in stale and newest is not None
        used = newest if is_stale and newest is not None else package
        newest = package
        for partition in partitions:
            processor = partition.processor
            after = processor.applied(COURSE_FACTS.name)
            if used.course_facts > after:
                facts = course_facts(records, after, used.course_facts)
                processor.apply_course_facts(facts, used.course_facts)
            collected.add(processor.advance(used, stale=is_stale))
            partition.rows.update(processor.checkpoint(1))
    calendars = [partition.processor.state.calendars for partition in partitions]
    examples.sort(key=lambda one: (one.enrolment, one.day))
    return Term(collected, examples, calendars)


def results(term: Term) -> Any:
    assert term.collected.contradictions == []
    examples = [example.model_dump() for example in term.examples]
    return term.collected.messages, term.collected.estimates(), examples


TWICE = [published(0, WORK), published(5, MOVED)]
ONE = play(1, TWICE)


def test_a_calendar_and_its_change_reach_every_partition() -> None:
    four = play(4, TWICE)
    assert len(four.calendars) == 4
    for calendars in four.calendars:
        assert calendars["c/r"]["deadlines"][0]["due_at"] == (START + 9) * DAY_S
    assert results(four) == results(ONE)
    assert len(ONE.examples) > 10


def test_it_makes_a_difference_on_the_day_after_next() -> None:
    """Or the equality of the results would show little."""
    assert results(play(2, [published(5, WORK)])) != results(play(2, [published(6, WORK)]))


cases = st.tuples(
    st.lists(st.tuples(st.integers(0, LAST - 6), st.sampled_from([WORK, MOVED, []])), max_size=4),
    st.frozensets(st.tuples(st.integers(0, 3), st.integers(0, LAST)), max_size=5),
    st.frozensets(st.integers(1, LAST), max_size=3),
)


@settings(max_examples=6, deadline=None)
@given(cases)
def test_results_depend_neither_on_partitions_nor_on_restarts(case: Any) -> None:
    changes, restarts, stale = case
    records = [published(day, work) for day, work in sorted(changes, key=lambda one: one[0])]
    expected = results(play(1, records, stale=stale))
    for count in (2, 4):
        assert results(play(count, records, restarts, stale)) == expected


# -- single records ---------------------------------------------------------------------------------------


def decoded(key: bytes | None, value: bytes | None, timing: Timing = REPLAY.timing) -> tuple[int, list[Any]]:
    found = decode_course_facts(
        batch_of([(key, value)], 7, topic=COURSE_FACTS.name, at=START * DAY_S), timing
    )
    return len(found.facts), [(one.dead_letter_id, one.reason, one.field) for one in found.letters]


GOOD = TWICE[0][1][1]
ID = f"{COURSE_FACTS.name}:0:7"


@pytest.mark.parametrize(
    ("key", "value", "facts", "letters"),
    [
        (b"c/r", GOOD, 1, []),
        (b"c/r", None, 0, []),
        (b"c/other", GOOD, 0, [(ID, "wrong_key", "key")]),
        (None, GOOD, 0, [(ID, "no_key", "key")]),
        (b"c/r", b"{", 0, [(ID, "malformed", "value")]),
        (b"l", click(1)[1], 0, [(ID, "unknown_type", "type")]),
        (b"l", fact("enrolled", 1)[1], 0, [(ID, "unknown_type", "type")]),
        (b"c/r", orjson.dumps(orjson.loads(GOOD) | {"starts_at": "soon"}), 0, [(ID, "invalid", "starts_at")]),
    ],
)
def test_a_record_is_a_calendar_or_a_dead_letter(
    key: bytes | None, value: bytes | None, facts: int, letters: list[Any]
) -> None:
    assert decoded(key, value) == (facts, letters)


def test_a_calendar_from_the_future_would_hold_for_ever_and_is_refused() -> None:
    assert decoded(b"c/r", published(9, WORK)[1][1], Timing()) == (0, [(ID, "future", "occurred_at")])
    assert decoded(b"c/r", GOOD, Timing()) == (1, [])


def test_one_that_cannot_be_applied_is_the_same_dead_letter_in_every_partition(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def fail(*_: Any) -> None:
        raise ValueError("boom")

    monkeypatch.setattr(FactApplication, "_try_calendar", fail)
    letters = play(4, TWICE[:1]).collected.letters
    assert [(letter.dead_letter_id, letter.reason) for letter in letters.values()] == [
        (f"{COURSE_FACTS.name}:0:0", "failed")
    ]
