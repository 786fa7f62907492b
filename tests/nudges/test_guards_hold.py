"""The guards hold under duplicates, reordering and crashes, and whoever counts violations can count.

The benchmark makes ten million of these decisions; here are a few thousand, other ones for each seed.
"""

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks import guards as benchmark
from nudges import decisions, guards
from nudges.learners import Learner
from nudges.policy import Policy


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10**9))
def test_the_guards_hold(seed: int) -> None:
    audit = benchmark.run(400, seed)
    assert +audit.violations == {}


def test_everything_occurs_in_it() -> None:
    """Or the test above would show little."""
    audit = benchmark.run(12_000, 1)
    reasons = set(audit.reasons)
    assert {"send study_time", "send digest", "send quiet_hours", "send sent"} <= reasons
    assert {"cancel recovered", "cancel opted_out", "cancel paused", "cancel quiet_hours"} <= reasons
    holds = ("cap_reached", "channel_cap_reached", "opted_out", "paused", "suppressed", "holdout", "declined")
    assert {f"hold {reason}" for reason in holds} <= reasons
    assert audit.crashes > 100
    assert audit.cancelled > 10


def never(*_: Any, **__: Any) -> None:
    return None


def at_once(at: int, *_: Any) -> int:
    return at


def forgets(learner: Learner, *_: Any) -> Learner:
    return learner


REMOVED: list[tuple[Any, str, Callable[..., Any], str]] = [
    (decisions, "capped", never, "cap: 2 in 7 days"),
    (decisions, "next_allowed", at_once, "night"),
    (decisions, "unwelcome", never, "suppressed"),
    (decisions, "unwelcome", never, "paused"),
    (decisions, "unwelcome", never, "run over"),
    (decisions, "open_channels", lambda _, channels: list(channels), "opted out"),
    (decisions, "held_out", never, "holdout"),
    (Learner, "closed", lambda *_: False, "sent after an opt-out"),
    (guards, "_counts", lambda cap, one: bool(one.campaign), "cap: 2 in 7 days"),  # others' do not count
    (
        Policy,
        "campaign",
        lambda self, *_: self.campaigns[1].model_copy(update={"expires_after_hours": 73}),
        "",
    ),
]


@pytest.mark.parametrize(("where", "name", "instead", "seen"), REMOVED)
def test_without_a_guard_its_violations_are_seen(
    monkeypatch: pytest.MonkeyPatch, where: Any, name: str, instead: Callable[..., Any], seen: str
) -> None:
    monkeypatch.setattr(where, name, instead)
    violations = benchmark.run(6_000, 1).violations
    assert violations[seen or "longer than its reason"] > 0, +violations
