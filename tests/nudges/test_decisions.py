"""Decisions: every no with its reason, and the caps, nights and arms held over any history."""

import dataclasses
from datetime import UTC, datetime, time
from zoneinfo import ZoneInfo, available_timezones

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from nudges.assignment import held_out
from nudges.decisions import LearnerHistory, decide
from nudges.policy import REACH_OUT, Policy
from nudges.quiet_hours import MACHINE_ZONES, QuietHours
from schemas.learner import Channel
from schemas.nudge import Nudge, NudgeDecision
from schemas.risk import Reason, RiskChange, RiskLevel

DAY = 86_400
NOON = int(datetime(2026, 3, 2, 12, tzinfo=UTC).timestamp())
EVERYBODY = Policy(holdout_share=0.0)
FRESH = LearnerHistory()
ZONES = sorted(available_timezones() - MACHINE_ZONES)

TRANSITIONS: list[tuple[RiskLevel, RiskLevel]] = [
    ("low", "medium"),
    ("low", "high"),
    ("medium", "high"),
    ("medium", "low"),
    ("high", "low"),
    ("high", "medium"),
]
transitions = st.sampled_from(TRANSITIONS)
zones = st.none() | st.sampled_from(ZONES)
moments = st.integers(NOON - 40 * 365 * DAY, NOON + 10 * 365 * DAY)


def risk_change(
    previous: RiskLevel = "low",
    level: RiskLevel = "high",
    learner: str = "ann",
    course_run: str = "BBB/2014B",
    at: int = NOON,
    **other: object,
) -> RiskChange:
    content = {
        "risk_change_id": f"{learner}:{course_run}:{at}",
        "learner": learner,
        "course_run": course_run,
        "occurred_at": datetime.fromtimestamp(at, UTC),
        "day": at // DAY,
        "previous_level": previous,
        "level": level,
        "probability": 0.8,
        "previous_probability": 0.3,
        "model_state": "serving",
        "model_version": "m1",
        "reasons": [],
    }
    return RiskChange.model_validate(content | other)


def reason(feature: str, contribution: float, text: str = "in words") -> Reason:
    return Reason(feature=feature, text=text, contribution=contribution)


@pytest.mark.parametrize(
    ("change", "learner", "policy", "expected"),
    [
        (risk_change(), FRESH, EVERYBODY, "sent"),
        (risk_change("high", "low"), FRESH, EVERYBODY, "level_not_nudged"),
        (risk_change("low", "medium"), FRESH, EVERYBODY, "level_not_nudged"),
        (risk_change(model_state="warming_up"), FRESH, EVERYBODY, "warming_up"),
        (
            risk_change(model_state="warming_up"),
            FRESH,
            Policy(holdout_share=0.0, nudge_while_warming_up=True),
            "sent",
        ),
        (risk_change(model_state="stale"), FRESH, EVERYBODY, "sent"),
        (risk_change(), LearnerHistory(in_force=False), EVERYBODY, "run_over"),
        (risk_change(), LearnerHistory(opted_out=frozenset({"email"})), EVERYBODY, "opted_out"),
        (risk_change(), LearnerHistory(opted_out=frozenset({"sms"})), EVERYBODY, "sent"),
        (risk_change(), LearnerHistory(paused_until=NOON + 1), EVERYBODY, "paused"),
        (risk_change(), LearnerHistory(paused_until=NOON), EVERYBODY, "sent"),
        (risk_change(), LearnerHistory(last_nudge_at=NOON - 7 * DAY + 1), EVERYBODY, "cap_reached"),
        (risk_change(), LearnerHistory(last_nudge_at=NOON - 7 * DAY), EVERYBODY, "sent"),
        (risk_change(), LearnerHistory(last_nudge_at=NOON + 3600), EVERYBODY, "cap_reached"),
        (risk_change(), FRESH, Policy(holdout_share=1.0), "holdout"),
        (risk_change(), LearnerHistory(timezone="Pacific/Auckland"), EVERYBODY, "quiet_hours"),
        # The first no in the documented order is the one recorded.
        (
            risk_change("high", "low", model_state="warming_up"),
            LearnerHistory(in_force=False),
            EVERYBODY,
            "level_not_nudged",
        ),
        (
            risk_change(model_state="warming_up"),
            LearnerHistory(in_force=False),
            Policy(holdout_share=1.0),
            "warming_up",
        ),
        (
            risk_change(),
            LearnerHistory(NOON, None, frozenset({"email"}), NOON + 1, False),
            EVERYBODY,
            "run_over",
        ),
        (risk_change(), LearnerHistory(NOON, None, frozenset({"email"}), NOON + 1), EVERYBODY, "opted_out"),
        (risk_change(), LearnerHistory(NOON, paused_until=NOON + 1), EVERYBODY, "paused"),
        (risk_change(), LearnerHistory(NOON), Policy(holdout_share=1.0), "cap_reached"),
    ],
)
def test_every_reason(change: RiskChange, learner: LearnerHistory, policy: Policy, expected: str) -> None:
    decision, nudge = decide(change, learner, policy, NOON)
    assert decision.reason == expected
    assert decision.decision == ("send" if expected in ("sent", "quiet_hours") else "hold")
    assert (nudge is not None) == (decision.decision == "send")
    assert decision.campaign == ("none" if expected == "level_not_nudged" else "reach-out")
    assert (decision.policy_version, decision.decided_at) == (
        policy.version,
        datetime.fromtimestamp(NOON, UTC),
    )


def test_a_nudge_says_what_the_ledger_says() -> None:
    decision, nudge = decide(risk_change(), LearnerHistory(timezone="Pacific/Auckland"), EVERYBODY, NOON)
    assert nudge is not None
    assert (decision.nudge_id, decision.send_at) == (nudge.nudge_id, nudge.send_at)
    assert nudge.send_at.astimezone(ZoneInfo("Pacific/Auckland")).isoformat() == "2026-03-03T08:00:00+13:00"
    assert (nudge.expires_at - nudge.send_at).total_seconds() == EVERYBODY.expires_after_hours * 3600
    assert (nudge.channel, nudge.goal) == (REACH_OUT.channel, REACH_OUT.goal)


def test_propensity_is_that_of_the_draw() -> None:
    policy = Policy(holdout_share=0.25)
    seen = {}
    for number in range(40):
        decision, _ = decide(risk_change(learner=f"l{number}"), FRESH, policy, NOON)
        seen[decision.reason] = decision.propensity
    assert seen == {"sent": 0.75, "holdout": 0.25}
    assert decide(risk_change("high", "low"), FRESH, policy, NOON)[0].propensity == 1.0
    assert decide(risk_change(), LearnerHistory(NOON), policy, NOON)[0].propensity == 1.0


def test_the_main_reason_chooses_the_words_and_only_raising_ones_are_passed_on() -> None:
    change = risk_change(
        reasons=[
            reason("clicks_7", 0.2, "few clicks"),
            reason("score_mean", -1.0, "good scores"),
            reason("missed_last", 0.9, "two deadlines missed"),
        ]
    )
    _, nudge = decide(change, FRESH, EVERYBODY, NOON)
    assert nudge is not None
    assert nudge.reasons == ["two deadlines missed", "few clicks"]
    assert nudge.text.startswith("A deadline in BBB/2014B")


@given(zones, moments, st.integers(-2 * 3600, 11 * 3600))
@example("Pacific/Apia", int(datetime(2011, 12, 30, 9, tzinfo=UTC).timestamp()), 0)  # the day that was not
@example("Europe/Berlin", int(datetime(2026, 3, 28, 20, tzinfo=UTC).timestamp()), 0)  # spring forward
@example("Australia/Lord_Howe", int(datetime(2026, 4, 4, 12, tzinfo=UTC).timestamp()), 0)  # by half an hour
def test_quiet_hours_hold_in_every_zone(name: str | None, moment: int, later: int) -> None:
    at = moment + later
    decision, nudge = decide(risk_change(), LearnerHistory(timezone=name), EVERYBODY, at)
    assert nudge is not None
    where = ZoneInfo(name or "UTC")
    local = nudge.send_at.astimezone(where)
    assert time(8) <= local.time() < time(21)
    waited = nudge.send_at.timestamp() - at
    assert (waited > 0) == (decision.reason == "quiet_hours")
    if waited:
        assert waited <= 13 * 3600  # eleven hours of night and at most two of a clock change
        assert not time(8) <= datetime.fromtimestamp(at, UTC).astimezone(where).time() < time(21)


@given(
    st.sampled_from(ZONES),
    moments,
    st.times().map(lambda t: t.replace(microsecond=0)),
    st.times().map(lambda t: t.replace(microsecond=0)),
)
def test_any_quiet_hours_end(name: str, at: int, start: time, end: time) -> None:
    assume(start != end)
    quiet = QuietHours(start=start, end=end)
    policy = Policy(holdout_share=0.0, quiet_hours=quiet)
    _, nudge = decide(risk_change(), LearnerHistory(timezone=name), policy, at)
    assert nudge is not None
    assert not quiet.cover(nudge.send_at.astimezone(ZoneInfo(name)).time())
    assert 0 <= nudge.send_at.timestamp() - at <= 4 * DAY


@dataclasses.dataclass(frozen=True)
class Life:
    """One learner's changes, in time order, and what was known before them."""

    learner: str
    steps: list[RiskChange]
    history: LearnerHistory


def live(lives: list[Life], policy: Policy) -> list[tuple[NudgeDecision, Nudge | None]]:
    """Decide on the changes of some learners in time order, keeping each one's history as a caller does."""
    histories = {life.learner: life.history for life in lives}
    found = []
    for change in sorted((step for life in lives for step in life.steps), key=lambda one: one.occurred_at):
        learner = change.learner
        decision, nudge = decide(change, histories[learner], policy, int(change.occurred_at.timestamp()))
        if nudge is not None:
            sent = int(nudge.send_at.timestamp())
            histories[learner] = dataclasses.replace(histories[learner], last_nudge_at=sent)
        found.append((decision, nudge))
    return found


@st.composite
def lives(draw: st.DrawFn, learner: str = "ann") -> Life:
    gaps = draw(st.lists(st.integers(1, 4 * DAY), max_size=25))
    at = draw(moments)
    steps = []
    for gap in gaps:
        at += gap
        previous, level = draw(transitions)
        steps.append(risk_change(previous, level, learner, draw(st.sampled_from(["A/1", "B/1", "C/1"])), at))
    channels: list[Channel] = ["email", "sms"]
    history = LearnerHistory(
        last_nudge_at=draw(st.none() | moments),
        timezone=draw(zones),
        opted_out=draw(st.frozensets(st.sampled_from(channels))),
        paused_until=draw(st.none() | st.just(at - 10 * DAY)),
    )
    return Life(learner, steps, history)


@given(lives(), st.integers(1, 30), st.floats(0.0, 1.0))
def test_caps_opt_outs_pauses_and_arms_hold_over_any_life(life: Life, cap_days: int, share: float) -> None:
    policy = Policy(cap_days=cap_days, holdout_share=share)
    outcome = live([life], policy)
    assert len(outcome) == len(life.steps)
    last = life.history.last_nudge_at
    for _, nudge in outcome:
        if nudge is None:
            continue
        sent = int(nudge.send_at.timestamp())
        assert last is None or sent - last >= cap_days * DAY
        last = sent
        assert nudge.channel not in life.history.opted_out
        assert life.history.paused_until is None or sent >= life.history.paused_until
        assert not held_out(policy.holdout_key, nudge.learner, nudge.course_run, share)
        assert nudge.decided_at <= nudge.send_at < nudge.expires_at


@given(lives(), lives("bob"))
def test_a_learner_is_decided_the_same_whoever_else_there_is(ann: Life, bob: Life) -> None:
    among_others = [one for one in live([bob, ann], Policy()) if one[0].learner == "ann"]
    assert among_others == live([ann], Policy())


def test_ids_are_those_of_the_change_and_the_policy() -> None:
    first, nudge = decide(risk_change(), FRESH, EVERYBODY, NOON)
    later, _ = decide(risk_change(), FRESH, EVERYBODY, NOON + 60)
    other_change, _ = decide(risk_change(learner="bob"), FRESH, EVERYBODY, NOON)
    other_policy, _ = decide(risk_change(), FRESH, Policy(holdout_share=0.0, cap_days=8), NOON)
    assert nudge is not None
    assert (first.decision_id, first.nudge_id) == (later.decision_id, later.nudge_id)
    ids = {first.decision_id, nudge.nudge_id, other_change.decision_id, other_policy.decision_id}
    assert len(ids) == 4
