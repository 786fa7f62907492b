"""Trackers that break in the simulator."""

from collections import Counter
from dataclasses import replace
from typing import Any

import orjson
import pytest

from engine.batch.activities import Activity
from engine.batch.decoding import decode_events
from sources.simulation.faults import Breakdown, with_breakdowns
from sources.simulator import Run, SimulationPlan, stream
from sources.stream import DAY, SourceMessage
from tests.streams.pipeline import batch_of

START = 20_000
PLAN = replace(SimulationPlan((Run("a", "now", START, 4, 40),), seed=3), trackers=("web", "app"))
SINCE, UNTIL = (START + 5) * DAY, (START + 8) * DAY


def arrives(**more: Any) -> list[SourceMessage]:
    return list(with_breakdowns(stream(PLAN), [Breakdown(**({"since": SINCE, "until": UNTIL} | more))]))


def activity(messages: list[SourceMessage]) -> list[tuple[int, dict[str, Any]]]:
    events = [(message.occurred_at, orjson.loads(message.value)) for message in messages]
    return [(timestamp, body) for timestamp, body in events if body["type"] == "activity"]


WELL = activity(list(stream(PLAN)))
HIT = [
    (timestamp, body) for timestamp, body in WELL if SINCE <= timestamp < UNTIL and body["source"] == "app"
]


def test_learners_have_a_source_of_their_own_and_now_and_then_the_other() -> None:
    of: dict[str, Counter[str]] = {}
    for _, body in WELL:
        of.setdefault(body["learner"], Counter())[body["source"]] += 1
    assert {source for counts in of.values() for source in counts} == {"web", "app"}
    main = sum(counts.most_common(1)[0][1] for counts in of.values())
    assert 0.75 < main / len(WELL) < 0.98


def test_a_cut_takes_the_sources_activity_and_nothing_else() -> None:
    assert len(HIT) > 20
    assert activity(arrives(fault="cut", source="app")) == [event for event in WELL if event not in HIT]
    everything = arrives(fault="cut", since=0, until=2 * SINCE)
    assert {orjson.loads(message.value)["type"] for message in everything} == {
        "calendar",
        "tick",
        "enrolled",
        "withdrawn",
        "completed",
    }


def test_a_share_is_the_same_records_each_time() -> None:
    some = activity(arrives(fault="cut", source="app", share=0.5))
    assert some == activity(arrives(fault="cut", source="app", share=0.5))
    assert 0.25 < (len(WELL) - len(some)) / len(HIT) < 0.75


def test_repeats_follow_what_they_repeat() -> None:
    events = activity(arrives(fault="repeat", source="app"))
    assert len(events) == len(WELL) + len(HIT)
    assert {body["event_id"] for _, body in events} == {body["event_id"] for _, body in WELL}


def test_a_wrong_clock_shows_against_the_arrival() -> None:
    by_id = dict(
        zip(
            [b["event_id"] for _, b in WELL],
            activity(arrives(fault="skew", source="app", shift_s=7200)),
            strict=True,
        )
    )
    for timestamp, body in HIT:
        later = orjson.loads(orjson.dumps(body))["occurred_at"]
        arrived, shifted = by_id[body["event_id"]]
        assert arrived == timestamp
        assert shifted["occurred_at"] > later


def test_what_is_garbled_is_refused_and_what_is_stripped_is_not() -> None:
    garbled = [message for message in arrives(fault="garble", source="app") if message.key is not None]
    decoded = decode_events(batch_of([(m.key.encode() if m.key else None, m.value) for m in garbled]))
    assert Counter(letter.reason for letter in decoded.letters) == {"unknown_kind": len(HIT)}
    stripped = [m for m in arrives(fault="strip", source="app") if m.key is not None]
    decoded = decode_events(batch_of([(m.key.encode() if m.key else None, m.value) for m in stripped]))
    assert decoded.letters == []
    assert sum(m.object is None for m in decoded.messages if isinstance(m, Activity)) == len(HIT)


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ({"until": SINCE}, "until: "),
        ({"share": 0.0}, "share: 0.0, expected"),
        ({"kind": "tea"}, "kind: 'tea', expected one of home"),
        ({"shift_s": 5}, "shift_s: 5, expected a number of seconds for a skew, else 0"),
    ],
)
def test_wrong_breakdowns_are_refused(more: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        arrives(fault="cut", **more)
