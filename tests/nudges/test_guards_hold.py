"""The guards hold under duplicates, reordering and crashes, and whoever counts violations can count.

The benchmark makes ten million of these decisions; here are a few thousand, other ones for each seed.
"""

from collections.abc import Callable
from contextlib import closing
from itertools import islice
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.guards.counts import Audit
from benchmarks.guards.runs import Log, audit_blocks, audit_learner, run
from nudges import guards, judging
from nudges.learners import Learner
from nudges.policy import Policy
from nudges.quiet_hours import QuietHours, next_allowed
from schemas.fields import DAY_S


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10**9))
def test_the_guards_hold(seed: int) -> None:
    audit = run(400, seed)
    assert +audit.violations == {}


def test_everything_occurs_in_it() -> None:
    """Or the test above would show little."""
    audit = run(12_000, 1)
    reasons = set(audit.reasons)
    assert {"send study_time", "send digest", "send quiet_hours", "send sent"} <= reasons
    assert {"cancel recovered", "cancel opted_out", "cancel paused", "cancel quiet_hours"} <= reasons
    holds = ("cap_reached", "channel_cap_reached", "opted_out", "paused", "suppressed", "holdout", "declined")
    assert {f"hold {reason}" for reason in holds} <= reasons
    assert audit.crashes > 100
    assert audit.cancelled > 10
    assert audit.together > 10


def one_learner(number: int) -> Audit:
    return audit_learner(number, 3)


def test_processes_and_a_log_add_up_to_the_same(tmp_path: Path) -> None:
    """And what a run left in its log is taken up by another of the same question alone."""
    straight = Audit()
    for number in range(5):
        straight.add(one_learner(number))

    def resume(learners: int, seed: int = 3) -> tuple[Audit, int]:
        log, total = Log.open(tmp_path / "log", seed, at_once=False), Audit()
        resumed = len(log.finished)
        with closing(audit_blocks(one_learner, 2, log)) as audits:
            for audit in islice(audits, learners):
                total.add(audit)
        return total, resumed

    assert resume(2)[1] == 0
    assert resume(5) == (straight, 2)
    assert resume(5) == (straight, 5)
    assert resume(1, seed=4)[1] == 0


def test_a_learner_with_a_violation_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(judging, "held_out", never)
    found = run(6_000, 1)
    assert 0 < len(found.violated) <= found.violations.total()
    again = audit_learner(int(found.violated[0].removeprefix("learner-")), 1)
    assert again.violations["holdout"] > 0


def never(*_: Any, **__: Any) -> None:
    return None


def at_once(at: int, *_: Any) -> int:
    return at


def forgets(learner: Learner, *_: Any) -> Learner:
    return learner


DIGEST = "a digest beside another"
REMOVED: list[tuple[Any, str, Callable[..., Any], str]] = [
    (judging, "cap_refusal", never, "cap: 2 in 7 days"),
    (judging, "next_allowed", at_once, "night"),
    (judging, "contact_refusal", never, "suppressed"),
    (judging, "contact_refusal", never, "paused"),
    (judging, "contact_refusal", never, "run over"),
    (judging, "open_channels", lambda _, channels: list(channels), "opted out"),
    (judging, "held_out", never, "holdout"),
    (
        judging,
        "_digest_time",
        lambda case: next_allowed(case.decided_at + DAY_S, case.zone, QuietHours()),
        DIGEST,
    ),
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
    violations = run(6_000, 1).violations
    assert violations[seen or "longer than its reason"] > 0, +violations
