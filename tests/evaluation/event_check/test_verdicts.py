"""The check says of every record what a worker says, whatever the record holds and however it is batched."""

import json
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from engine.batch.admission import Timing
from engine.rules import Rules
from evaluation.event_check.verdicts import LogReader
from schemas.topics import EVENTS, FEEDBACK
from sources.formats import NativeFormat, SourceRecord
from sources.simulation.faults import Breakdown, with_breakdowns
from sources.simulator import SimulationPlan, stream
from tests.engine.test_contract_holds import strange
from tests.evaluation.event_check.samples import (
    NOW,
    calendar,
    click,
    fact,
    instant,
    judged_by_a_worker,
    whole_run,
)

QUICK = (Phase.explicit, Phase.reuse, Phase.generate)
LIVE, REPLAY = Rules(), Rules(timing=Timing(clock="replay"))
LIMA = Rules(timing=Timing(zone="America/Lima"))
FORGETFUL = Rules(event_id_capacity=0)
Said = dict[int, list[tuple[str, str, str]]]


def records_of(lines: list[bytes]) -> list[SourceRecord]:
    return [NativeFormat.record(line, number) for number, line in enumerate(lines, 1)]


def said_by_the_check(records: list[SourceRecord], rules: Rules, batch: int) -> tuple[Said, int, int, int]:
    """Dead letters by number of the record; records applied, repeated and refused."""
    reader, said = LogReader(rules, NOW), Said()
    applied = repeats = 0
    for first in range(0, len(records), batch):
        verdicts = reader.read(records[first : first + batch])
        for index, letter in verdicts.letters:
            said.setdefault(first + index, []).append((letter.reason, letter.field, letter.detail))
        repeats += int(verdicts.repeats.sum())
        applied += int((~verdicts.repeats & ~verdicts.late).sum()) + len(verdicts.feedback)
    refused = sum(any(reason != "field" for reason, _, _ in letters) for letters in said.values())
    return said, applied, repeats, refused


def assert_equal_to_a_worker(
    records: list[SourceRecord], rules: Rules, batch: int = 4_000, worker_batch: int = 4_000
) -> Said:
    outputs, processor = judged_by_a_worker(records, rules, NOW, worker_batch)
    expected = Said()
    for letter in outputs.dead_letters:
        expected.setdefault(letter.offset, []).append((letter.reason, letter.field, letter.detail))
    said, applied, repeats, refused = said_by_the_check(records, rules, batch)
    assert {number: sorted(letters) for number, letters in said.items()} == {
        number: sorted(letters) for number, letters in expected.items()
    }
    assert applied + repeats + refused == len(records)
    feedback = sum(record.topic == FEEDBACK.name for record in records)
    clock = processor.state.clock
    assert (applied - clock.events, repeats) == (
        feedback - sum(letter.topic == FEEDBACK.name for letter in outputs.dead_letters),
        clock.duplicates,
    )
    return said


FAULTY: list[dict[str, Any] | bytes] = [
    calendar("essay"),
    fact("enrolled", -1),
    click(0.1),
    b"not JSON",
    click(0.1),  # the same id
    click(0.2, score=85, object=7),
    click(0.3, kind="dance"),
    click(9999),
    {**click(0.4), "occurred_at": "1970-01-01T00:00:00Z"},
    {"key": None, "value": click(0.5)},
    {"key": "bob", "value": click(0.6)},
    {"key": "ann", "value": None},
    {"type": "graded", "event_id": "g", "learner": "ann", "course_run": "r", "object": "o", "score": 85},
    fact("preferences", 0.7, course_run="r", digest=True),
    click(45.5, mood="good"),
    click(45.6, platform="edx"),
    {"key": "ann", "value": click(45.7, platform="edx")},
    click(0.8, event_id="late"),
    click(44.2, event_id="late too, but counted"),
    click(46, event_id="again"),
    click(46.9, event_id="again"),
    click(49, event_id="again"),
    click(44.2, event_id="late too, but counted"),  # eight bytes of its id are remembered
]


def lines_of(messages: list[dict[str, Any] | bytes]) -> list[bytes]:
    return [line if isinstance(line, bytes) else json.dumps(line).encode() for line in messages]


@pytest.mark.parametrize("rules", [LIVE, LIMA, FORGETFUL], ids=["live", "in Lima", "forgetful"])
@pytest.mark.parametrize("batch", [1, 3, 100])
def test_a_faulty_log_is_refused_as_a_worker_refuses_it(batch: int, rules: Rules) -> None:
    records = records_of(lines_of(FAULTY))
    said = assert_equal_to_a_worker(records, rules, batch)
    assert said_by_the_check(records, rules, batch)[2] == (2 if rules is FORGETFUL else 3), "repeats"
    reasons = {number: [reason for reason, _, _ in letters] for number, letters in said.items()}
    assert reasons == {
        3: ["malformed"],
        5: ["field", "field"],
        6: ["unknown_kind"],
        7: ["future"],
        8: ["invalid"],
        9: ["no_key"],
        10: ["wrong_key"],
        11: ["malformed"],
        12: ["invalid"],
        16: ["wrong_key"],
        17: ["too_late"],
    }


@pytest.mark.parametrize("batch", [700, 4_000])
def test_a_simulated_term_with_broken_trackers(batch: int) -> None:
    plan = SimulationPlan.term(12, courses=1, weeks=6, seed=3)
    first = min(message.occurred_at for message in stream(plan))
    middle, end = first + 30 * 86_400, first + 10**8
    faults = (
        Breakdown("repeat", first, middle, share=0.2),
        Breakdown("garble", middle, end, share=0.1),
        Breakdown("skew", first, end, share=0.3, shift_s=-40 * 86_400),
        Breakdown("skew", middle, end, share=0.4, shift_s=90_000),
    )  # by the hash of the event: whoever has a larger share hits the events beside those of a smaller one
    records = records_of([message.value for message in with_breakdowns(stream(plan), faults)])
    for rules in (LIVE, REPLAY, LIMA):
        reasons = {
            letters[0][0] for letters in assert_equal_to_a_worker(records, rules, batch, 1_000).values()
        }
        assert {"too_late", "unknown_kind"} <= reasons


LINES = st.lists(
    st.binary(max_size=40)
    | strange(EVENTS)
    | strange(FEEDBACK)
    | st.sampled_from(lines_of(FAULTY))
    | st.floats(0, 60).map(lambda day: json.dumps({"type": "tick", "occurred_at": instant(day)}).encode())
    | st.tuples(strange(EVENTS), st.integers(-(2**63), 2**63 - 1)).map(
        lambda pair: b'{"key":"l","timestamp":%d,"value":%s}' % (pair[1], pair[0])
    ),
    max_size=30,
)


@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck), phases=QUICK)
@given(LINES, st.sampled_from([LIVE, REPLAY]), st.integers(1, 30))
def test_any_lines_are_applied_repeated_or_refused(lines: list[bytes], rules: Rules, batch: int) -> None:
    _, applied, repeats, refused = said_by_the_check(records_of(lines), rules, batch)
    assert applied + repeats + refused == len(lines)


@settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck), phases=QUICK)
@given(st.lists(strange(EVENTS) | st.sampled_from(lines_of(FAULTY)), max_size=12), st.integers(1, 12))
def test_any_lines_among_a_run_are_judged_as_by_a_worker(lines: list[bytes], batch: int) -> None:
    """Without ticks and within some weeks: a worker closes every day in between."""
    run = lines_of([*whole_run(days=9)])
    mixed = [line for pair in zip(run, lines, strict=False) for line in pair] + run[len(lines) :]
    said = assert_equal_to_a_worker(records_of(mixed), LIVE, batch)
    assert "failed" not in {reason for letters in said.values() for reason, _, _ in letters}
