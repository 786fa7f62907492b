"""Decisions: every no with its reason, every postponement, cancellations, approvals, ids."""

from collections.abc import Callable
from datetime import UTC, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo, available_timezones

import orjson
import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from nudges.assignment import held_out
from nudges.cancelling import cancel_for_course_run
from nudges.choosing import Situation, by_weight
from nudges.decisions import decide
from nudges.learners import Learner, Sending, update_learner
from nudges.ledger import DecisionResult
from nudges.messages import apply_message
from nudges.policy import REACH_OUT, WEEKDAYS, Cap, Digest, Policy, StudyTime, Suggestion, Variant
from nudges.quiet_hours import QuietHours
from nudges.timing import WEEK_H, Habit
from schemas.nudge import Nudge, NudgeCancelled
from schemas.risk import RiskChange
from schemas.zones import MACHINE_ZONES
from tests.nudges.changes import DAY, HOUR, NOON, feedback, instant, preferences, reason, risk_change

EVERYBODY = Policy(holdout_share=0.0)
FRESH = Learner()
ZONES = sorted(available_timezones() - MACHINE_ZONES)
zones = st.none() | st.sampled_from(ZONES)
moments = st.integers(NOON - 40 * 365 * DAY, NOON + 10 * 365 * DAY)


def of(*messages: dict[str, Any], learner: Learner = FRESH) -> Learner:
    for message in messages:
        learner = update_learner(learner, message)
    return learner


def others_wrote(at: int, channel: str | None = None) -> Learner:
    return of(feedback("sent", at, channel=channel))


def with_campaign(**changes: Any) -> Policy:
    return Policy(holdout_share=0.0, campaigns=(REACH_OUT.model_copy(update=changes),))


def nudge_of(done: DecisionResult) -> Nudge:
    (nudge,) = done.messages
    assert isinstance(nudge, Nudge)
    return nudge


LATE = with_campaign(phases=("end",))
SCORES = with_campaign(reasons=("score",))
PAUSED = of(preferences(paused_until=instant(NOON + 1)))
CLOSED = of(preferences(opted_out=["email"]))
ENDED = Situation(in_force=False)


@pytest.mark.parametrize(
    ("change", "learner", "policy", "situation", "expected"),
    [
        (risk_change(), FRESH, EVERYBODY, None, "sent"),
        (risk_change(data_quality="suspect"), FRESH, EVERYBODY, None, "data_quality"),
        (risk_change("high", "low"), FRESH, EVERYBODY, None, "level_not_nudged"),
        (risk_change("low", "medium"), FRESH, EVERYBODY, None, "level_not_nudged"),
        (risk_change(reasons=[reason("silence")]), FRESH, SCORES, None, "reason_not_nudged"),
        (risk_change(reasons=[reason("score_mean")]), FRESH, SCORES, None, "sent"),
        (risk_change(reasons=[reason("score_mean", -1.0)]), FRESH, SCORES, None, "reason_not_nudged"),
        (risk_change(), FRESH, LATE, Situation(phase="middle"), "phase_not_nudged"),
        (risk_change(), FRESH, LATE, Situation(phase=None), "phase_not_nudged"),
        (risk_change(), FRESH, LATE, Situation(phase="end"), "sent"),
        (risk_change(model_state="warming_up"), FRESH, EVERYBODY, None, "warming_up"),
        (
            risk_change(model_state="warming_up"),
            FRESH,
            Policy(holdout_share=0.0, nudge_while_warming_up=True),
            None,
            "sent",
        ),
        (risk_change(model_state="stale"), FRESH, EVERYBODY, None, "sent"),
        (risk_change(), FRESH, EVERYBODY, ENDED, "run_over"),
        (risk_change(), of(preferences(suppressed=True)), EVERYBODY, None, "suppressed"),
        (risk_change(), CLOSED, EVERYBODY, None, "opted_out"),
        (risk_change(), of(preferences(opted_out=["sms"])), EVERYBODY, None, "sent"),
        (risk_change(), of(feedback("unsubscribed", channel="email")), EVERYBODY, None, "opted_out"),
        (risk_change(), PAUSED, EVERYBODY, None, "paused"),
        (risk_change(), of(preferences(paused_until=instant(NOON))), EVERYBODY, None, "sent"),
        (
            risk_change(),
            of(preferences(timezone="Pacific/Auckland")),
            with_campaign(expires_after_hours=7),
            None,
            "expired",  # it is 01:00 there, the night ends in seven hours
        ),
        (risk_change(), others_wrote(NOON - 7 * DAY + 1), EVERYBODY, None, "cap_reached"),
        (risk_change(), others_wrote(NOON - 7 * DAY), EVERYBODY, None, "sent"),
        (risk_change(), others_wrote(NOON + HOUR), EVERYBODY, None, "cap_reached"),
        (
            risk_change(),
            others_wrote(NOON - DAY, "email"),
            EVERYBODY.model_copy(update={"caps": (Cap(most=1, days=7, channel="email"),)}),
            None,
            "channel_cap_reached",
        ),
        (
            risk_change(),
            others_wrote(NOON - DAY, "email"),
            EVERYBODY.model_copy(update={"caps": (Cap(most=1, days=7, campaign="reach-out"),)}),
            None,
            "sent",  # it was no message of the campaign
        ),
        (
            risk_change(),
            FRESH.plan(Sending(NOON - DAY, "n", "email", "reach-out")),
            EVERYBODY.model_copy(update={"caps": (Cap(most=1, days=7, campaign="reach-out"),)}),
            None,
            "campaign_cap_reached",
        ),
        (risk_change(), FRESH, Policy(holdout_share=1.0), None, "holdout"),
        (risk_change(), FRESH, with_campaign(approval="instructor"), None, "awaiting_approval"),
        (risk_change(), of(preferences(timezone="Pacific/Auckland")), EVERYBODY, None, "quiet_hours"),
        (risk_change(), of(preferences(digest=True)), EVERYBODY, None, "digest"),
        # The first no in the documented order is the one recorded.
        (risk_change("high", "low", model_state="warming_up"), CLOSED, EVERYBODY, ENDED, "level_not_nudged"),
        (risk_change(model_state="warming_up"), CLOSED, Policy(holdout_share=1.0), ENDED, "warming_up"),
        (risk_change(), of(preferences(suppressed=True), learner=PAUSED), EVERYBODY, ENDED, "run_over"),
        (risk_change(), of(preferences(suppressed=True), learner=PAUSED), EVERYBODY, None, "suppressed"),
        (risk_change(), of(preferences(opted_out=["email"]), learner=PAUSED), EVERYBODY, None, "paused"),
        (risk_change(), of(feedback("sent"), learner=CLOSED), EVERYBODY, None, "opted_out"),
        (risk_change(), others_wrote(NOON), Policy(holdout_share=1.0), None, "cap_reached"),
    ],
)
def test_every_reason(
    change: RiskChange, learner: Learner, policy: Policy, situation: Situation | None, expected: str
) -> None:
    done = decide(change, learner, policy, NOON, situation)
    (decision,) = done.decisions
    assert decision.reason == expected
    sends = expected in ("sent", "quiet_hours", "digest")
    assert decision.decision == ("send" if sends else "hold")
    assert len(done.messages) == sends
    without = ("level_not_nudged", "reason_not_nudged", "phase_not_nudged")
    assert decision.campaign == ("none" if expected in without else "reach-out")
    assert (decision.policy_version, decision.decided_at) == (policy.version, instant(NOON))


def test_a_nudge_says_what_the_ledger_says() -> None:
    done = decide(risk_change(), of(preferences(timezone="Pacific/Auckland")), EVERYBODY, NOON)
    nudge, (decision,) = nudge_of(done), done.decisions
    assert (decision.nudge_id, decision.send_at) == (nudge.nudge_id, nudge.send_at)
    assert (decision.variant, decision.channel) == (nudge.variant, nudge.channel) == ("plain", "email")
    assert nudge.send_at.astimezone(ZoneInfo("Pacific/Auckland")).isoformat() == "2026-03-03T08:00:00+13:00"
    assert nudge.expires_at == instant(NOON + 72 * HOUR)
    assert nudge.goal == REACH_OUT.goal


def test_propensity_is_that_of_the_draws() -> None:
    text = (Suggestion(about="all", text="."),)
    variants = (
        Variant(name="one", weight=1, suggestions=text),
        Variant(name="two", weight=3, suggestions=text),
    )
    campaign = REACH_OUT.model_copy(update={"variants": variants})
    policy = Policy(holdout_share=0.2, campaigns=(campaign,))
    seen = {}
    for number in range(60):
        (decision,) = decide(risk_change(learner=f"l{number}"), FRESH, policy, NOON).decisions
        seen[decision.reason, decision.variant] = decision.propensity
    expected = {("holdout", ""): 0.2, ("sent", "one"): 0.2, ("sent", "two"): 0.6}
    assert seen == pytest.approx(expected)
    assert decide(risk_change("high", "low"), FRESH, policy, NOON).decisions[0].propensity == 1.0
    assert decide(risk_change(), others_wrote(NOON), policy, NOON).decisions[0].propensity == 1.0


def test_variants_have_their_shares_and_stay() -> None:
    text = (Suggestion(about="all", text="."),)
    variants = tuple(
        Variant(name=name, weight=weight, suggestions=text) for name, weight in (("a", 1), ("b", 3))
    )
    campaign = REACH_OUT.model_copy(update={"variants": variants})
    choose = by_weight("key")
    chosen = [choose(campaign, (f"l{number}", "A/1"), Situation()).variant for number in range(4000)]
    assert abs(chosen.count("a") / 4000 - 0.25) < 0.03
    assert chosen == [choose(campaign, (f"l{number}", "A/1"), Situation()).variant for number in range(4000)]


def test_the_main_reason_chooses_the_words_and_only_raising_ones_are_passed_on() -> None:
    change = risk_change(
        reasons=[
            reason("clicks_7", 0.2, "few clicks"),
            reason("score_mean", -1.0, "good scores"),
            reason("missed_last", 0.9, "two deadlines missed"),
            reason("memory", 1.2, "earlier days still count"),
            reason("model", 1.1, "the model has learned"),
        ]
    )
    nudge = nudge_of(decide(change, FRESH, EVERYBODY, NOON))
    assert nudge.reasons == ["two deadlines missed", "few clicks"]
    assert nudge.text.startswith("A deadline in BBB/2014B")
    assert nudge.variables["reason"] == "two deadlines missed"


def test_a_learner_is_told_nothing_that_is_not_about_them() -> None:
    change = risk_change(reasons=[reason("model", 1.1, "the model has learned")])
    nudge = nudge_of(decide(change, FRESH, EVERYBODY, NOON))
    assert nudge.reasons == []
    assert "model" not in nudge.text
    assert "model" not in str(nudge.variables)


def test_the_first_campaign_that_fits_answers() -> None:
    scores = REACH_OUT.model_copy(update={"name": "scores", "reasons": ("score",)})
    policy = Policy(holdout_share=0.0, campaigns=(scores, REACH_OUT))
    hard, quiet = risk_change(reasons=[reason("score_mean")]), risk_change(reasons=[reason("silence")])
    assert nudge_of(decide(hard, FRESH, policy, NOON)).campaign == "scores"
    assert nudge_of(decide(quiet, FRESH, policy, NOON)).campaign == "reach-out"


def test_the_first_channel_that_is_left_is_used() -> None:
    policy = with_campaign(channels=("email", "push", "sms"))
    policy = policy.model_copy(update={"caps": (Cap(most=1, days=7, channel="push"),)})
    learner = of(preferences(opted_out=["email"]), feedback("sent", NOON - DAY, channel="push"))
    assert nudge_of(decide(risk_change(), FRESH, policy, NOON)).channel == "email"
    assert nudge_of(decide(risk_change(), learner, policy, NOON)).channel == "sms"


# -- timing ------------------------------------------------------------------------------------------


@given(zones, moments, st.integers(-2 * 3600, 11 * 3600))
@example("Pacific/Apia", int(datetime(2011, 12, 30, 9, tzinfo=UTC).timestamp()), 0)  # the day that was not
@example("Europe/Berlin", int(datetime(2026, 3, 28, 20, tzinfo=UTC).timestamp()), 0)  # spring forward
@example("Australia/Lord_Howe", int(datetime(2026, 4, 4, 12, tzinfo=UTC).timestamp()), 0)  # by half an hour
def test_quiet_hours_hold_in_every_zone(name: str | None, moment: int, later: int) -> None:
    at = moment + later
    done = decide(risk_change(), of(preferences(timezone=name)), EVERYBODY, at)
    nudge = nudge_of(done)
    where = ZoneInfo(name or "UTC")
    local = nudge.send_at.astimezone(where)
    assert time(8) <= local.time() < time(21)
    waited = nudge.send_at.timestamp() - at
    assert (waited > 0) == (done.decisions[0].reason == "quiet_hours")
    if waited:
        assert waited <= 13 * 3600  # eleven hours of night and at most two of a clock change
        assert not time(8) <= datetime.fromtimestamp(at, UTC).astimezone(where).time() < time(21)


@settings(deadline=None)  # a busy machine is slow
@given(
    st.sampled_from(ZONES),
    moments,
    st.times().map(lambda t: t.replace(microsecond=0)),
    st.times().map(lambda t: t.replace(microsecond=0)),
)
def test_any_quiet_hours_end(name: str, at: int, start: time, end: time) -> None:
    assume(start != end)
    quiet = QuietHours(start=start, end=end)
    policy = with_campaign(expires_after_hours=120).model_copy(update={"quiet_hours": quiet})
    nudge = nudge_of(decide(risk_change(), of(preferences(timezone=name)), policy, at))
    assert not quiet.contains(nudge.send_at.astimezone(ZoneInfo(name)).time())
    assert 0 <= nudge.send_at.timestamp() - at <= 4 * DAY


def busy(*hours: int) -> tuple[int, ...]:
    """Active hours of the week, Monday 00:00 UTC first."""
    return tuple(hours.count(hour) for hour in range(WEEK_H))


TUESDAY_SEVEN = 24 + 19


@pytest.mark.parametrize(
    ("habit", "expected", "why"),
    [
        (Habit(), NOON, "sent"),
        (Habit(busy(*[TUESDAY_SEVEN] * 9)), NOON + 31 * HOUR, "study_time"),
        (Habit(busy(12), busy(*[TUESDAY_SEVEN] * 9)), NOON + 31 * HOUR, "study_time"),  # one hour is no habit
        (Habit(busy(*[12] * 9), busy(TUESDAY_SEVEN)), NOON, "sent"),  # this very hour
        (Habit((), busy(13, 13, 14)), NOON + HOUR, "study_time"),  # a cohort's, for want of another
        (Habit(busy(*[22] * 9, 14)), NOON + 2 * HOUR, "study_time"),  # not at night
        (Habit(busy(*[5 * 24] * 9)), NOON, "sent"),  # Saturday is too far
    ],
)
def test_it_waits_for_the_hour_at_which_the_learner_studies(habit: Habit, expected: int, why: str) -> None:
    done = decide(risk_change(), FRESH, EVERYBODY, NOON, Situation(habit=habit))
    assert nudge_of(done).send_at == instant(expected)
    assert done.decisions[0].reason == why


@pytest.mark.parametrize(
    ("at", "expected"),
    [
        ("2026-03-23T12:00+01:00", "2026-03-24T18:00+01:00"),  # winter, as the profile
        ("2026-03-28T12:00+01:00", "2026-03-29T18:00+02:00"),  # the clock changes while it waits
        ("2026-03-30T12:00+02:00", "2026-03-31T18:00+02:00"),  # it has changed, most of the profile is older
        ("2026-10-24T12:00+02:00", "2026-10-25T18:00+01:00"),
        ("2026-10-26T12:00+01:00", "2026-10-27T18:00+01:00"),
    ],
)
def test_a_habit_keeps_to_the_learners_clock(at: str, expected: str) -> None:
    now, best = datetime.fromisoformat(at), datetime.fromisoformat(expected)
    where = ZoneInfo("Europe/Berlin")
    moments = [now - timedelta(days) for days in range(28)]  # every day at 18:00 of the learner's clock
    evenings = [day.astimezone(where).replace(hour=18, minute=0).astimezone(UTC) for day in moments]
    evenings = [evening for evening in evenings if evening.weekday() == best.weekday()]
    habit = Habit(busy(*(evening.weekday() * 24 + evening.hour for evening in evenings)))
    moment = int(now.timestamp())
    done = decide(
        risk_change(), of(preferences(timezone=where.key)), EVERYBODY, moment, Situation(habit=habit)
    )
    assert nudge_of(done).send_at == best


@given(
    st.lists(st.integers(0, 9), min_size=WEEK_H, max_size=WEEK_H),
    zones,
    moments,
    st.integers(1, 168),
    st.integers(12, 200),
)
def test_wherever_the_habit_the_night_and_the_expiry_hold(
    own: list[int], name: str | None, at: int, within: int, expires: int
) -> None:
    policy = with_campaign(expires_after_hours=expires)
    policy = policy.model_copy(update={"study_time": StudyTime(within_hours=within)})
    situation = Situation(habit=Habit(own))
    done = decide(risk_change(), of(preferences(timezone=name)), policy, at, situation)
    if done.decisions[0].reason == "expired":
        assert expires <= 13
        return
    nudge = nudge_of(done)
    assert at <= nudge.send_at.timestamp() < at + expires * HOUR == nudge.expires_at.timestamp()
    assert nudge.send_at.timestamp() <= at + max(within, 13) * HOUR
    assert time(8) <= nudge.send_at.astimezone(ZoneInfo(name or "UTC")).time() < time(21)


@given(zones, moments, st.sampled_from(["monday", "thursday", "sunday"]))
def test_a_digest_comes_on_its_day_and_hour(name: str | None, at: int, weekday: Any) -> None:
    policy = EVERYBODY.model_copy(update={"digest": Digest(weekday=weekday, at=time(9))})
    nudge = nudge_of(decide(risk_change(), of(preferences(timezone=name, digest=True)), policy, at))
    local = nudge.send_at.astimezone(ZoneInfo(name or "UTC"))
    assert nudge.digest
    assert 0 <= nudge.send_at.timestamp() - at <= 14 * DAY  # a week; two where the day was left out
    if local.hour == 9:
        assert local.strftime("%A").lower() == weekday


digests = st.builds(
    Digest,
    weekday=st.none() | st.sampled_from(WEEKDAYS),
    at=st.none() | st.times().map(lambda at: at.replace(microsecond=0)),
)
habits = st.lists(st.integers(0, 9), min_size=WEEK_H, max_size=WEEK_H)


@given(digests, habits, zones, moments)
@example(Digest(weekday=None, at=time(2, 30)), [], "Europe/Berlin", NOON + 26 * DAY)
def test_a_digest_is_soon_by_day_and_on_its_day(
    digest: Digest, own: list[int], name: str | None, at: int
) -> None:
    policy = EVERYBODY.model_copy(update={"digest": digest})
    learner = of(preferences(timezone=name, digest=True))
    done = decide(risk_change(), learner, policy, at, Situation(habit=Habit(own)))
    if done.decisions[0].reason == "expired":
        assert digest.weekday  # and that day was left out by the zone
        return
    nudge = nudge_of(done)
    local = nudge.send_at.astimezone(ZoneInfo(name or "UTC"))
    assert nudge.digest
    assert time(8) <= local.time() < time(21)
    assert at <= nudge.send_at.timestamp() < nudge.expires_at.timestamp() <= at + 192 * HOUR
    if digest.weekday is None:
        assert nudge.send_at.timestamp() - at <= 2 * DAY + HOUR
    elif digest.at is None or time(8) <= digest.at < time(21):
        assert local.strftime("%A").lower() == digest.weekday
    if digest.at is None and any(own[hour] for hour in range(WEEK_H)) and name is None:
        day = int(nudge.send_at.replace(hour=0, minute=0, second=0).timestamp())
        by_day = [own[((day + hour * HOUR) // HOUR - 96) % WEEK_H] for hour in range(8, 21)]
        assert by_day[local.hour - 8] == max(by_day)


@given(
    digests,
    zones,
    moments,
    st.lists(st.tuples(st.integers(0, 7 * DAY), habits.map(Habit)), min_size=2, max_size=4),
)
def test_what_is_decided_while_a_digest_is_planned_is_one_message_with_it(
    digest: Digest, name: str | None, at: int, later: list[tuple[int, Habit]]
) -> None:
    """Whatever the course and its habit; and a cap of one message a day lets all of it pass."""
    policy = EVERYBODY.model_copy(update={"digest": digest, "caps": (Cap(most=1, days=1),)})
    learner, planned = of(preferences(timezone=name, digest=True)), None
    for number, (after, habit) in enumerate(sorted(later, key=lambda pair: pair[0])):
        moment, run = at + after, f"run/{number}"
        done = decide(risk_change(course_run=run, at=moment), learner, policy, moment, Situation(habit=habit))
        learner = Learner.from_record(orjson.loads(orjson.dumps(done.learner.to_record())))
        if not done.messages:
            assert done.decisions[0].reason in ("expired", "cap_reached")
            assert planned is None or moment >= planned
            continue
        nudge = nudge_of(done)
        send_at = int(nudge.send_at.timestamp())
        if planned is not None and moment < planned:
            assert send_at == planned
        planned = send_at
    assert len({sending.delivery_key for sending in learner.sendings}) == len(
        {sending.send_at for sending in learner.sendings}
    )


def test_a_digest_is_one_message_to_every_cap() -> None:
    """Three courses within one digest; then a message outside of it, and one of another system before it."""
    policy = EVERYBODY.model_copy(
        update={"caps": (Cap(most=1, days=7), Cap(most=1, days=7, channel="email"))}
    )
    learner = of(preferences(digest=True))
    for number in range(3):
        done = decide(risk_change(course_run=f"run/{number}"), learner, policy, NOON)
        learner = done.learner
        assert done.decisions[-1].reason == "digest"
    assert len({row.send_at for row in learner.sendings}) == 1
    single = apply_message(preferences(NOON + 1, "q", digest=False), learner, policy, NOON).learner
    assert decide(risk_change(course_run="run/9"), single, policy, NOON).decisions[-1].reason == "cap_reached"
    informed = apply_message(feedback("sent", NOON + HOUR), learner, policy, NOON).learner
    over = decide(risk_change(course_run="run/9"), informed, policy, NOON + HOUR)
    assert over.decisions[-1].reason == "cap_reached", "what is known to break a cap is not added to"


def test_a_digest_goes_on_one_channel_where_the_campaigns_allow_it() -> None:
    score = REACH_OUT.model_copy(
        update={"name": "score", "reasons": ("score",), "channels": ("push", "email")}
    )
    policy = Policy(holdout_share=0.0, campaigns=(score, REACH_OUT), caps=())
    learner = of(preferences(digest=True))
    first = decide(risk_change(), learner, policy, NOON)
    about_scores = risk_change(course_run="B/1", reasons=[reason("score_mean")])
    assert nudge_of(decide(about_scores, first.learner, policy, NOON)).channel == "email"
    assert nudge_of(decide(about_scores, learner, policy, NOON)).channel == "push"


def test_a_recovery_takes_its_own_nudge_out_of_the_digest_and_no_other() -> None:
    learner = of(preferences(digest=True))
    for run in ("A/1", "B/1"):
        learner = decide(risk_change(course_run=run), learner, EVERYBODY, NOON).learner
    done = decide(risk_change("high", "low", course_run="A/1"), learner, EVERYBODY, NOON + HOUR)
    assert [(row.decision, row.reason, row.course_run) for row in done.decisions] == [
        ("cancel", "recovered", "A/1"),
        ("hold", "level_not_nudged", "A/1"),
    ]
    assert [sending.course_run for sending in done.learner.sendings] == ["B/1"]


# -- cancelling, approving ---------------------------------------------------------------------------


def planned(at: int = NOON + DAY, course_run: str = "BBB/2014B") -> Learner:
    return FRESH.plan(Sending(at, "n", "email", "reach-out", "plain", course_run, "c"))


def test_a_recovery_cancels_what_is_pending_and_frees_its_place() -> None:
    done = decide(risk_change("high", "medium"), planned(), EVERYBODY, NOON)
    cancelled, held = done.decisions
    (message,) = done.messages
    assert isinstance(message, NudgeCancelled)
    assert (cancelled.decision, cancelled.reason, cancelled.nudge_id) == ("cancel", "recovered", "n")
    assert (message.nudge_id, message.reason, held.reason) == ("n", "recovered", "level_not_nudged")
    assert decide(risk_change(), done.learner, EVERYBODY, NOON).decisions[0].reason == "sent"


@pytest.mark.parametrize(
    ("change", "learner"),
    [
        (risk_change("high", "low"), planned(NOON)),  # its time has come
        (risk_change("high", "low"), planned(course_run="C/1")),  # another enrolment's
        (risk_change("medium", "high"), planned()),  # no recovery
        (risk_change("high", "low"), others_wrote(NOON + HOUR)),  # not ours
    ],
)
def test_nothing_else_cancels_it(change: RiskChange, learner: Learner) -> None:
    done = decide(change, learner, EVERYBODY, NOON)
    assert [decision.decision for decision in done.decisions] == ["hold"]
    assert done.learner.sendings == learner.sendings


@pytest.mark.parametrize(
    ("message", "reason"),
    [
        (preferences(opted_out=["email"]), "opted_out"),
        (preferences(opted_out=["sms"]), None),
        (feedback("unsubscribed", nudge_id="n"), "opted_out"),
        (feedback("unsubscribed", channel="sms"), None),
        (preferences(suppressed=True), "suppressed"),
        (preferences(paused_until=instant(NOON + 2 * DAY)), "paused"),
        (preferences(paused_until=instant(NOON + HOUR)), None),
        (preferences(timezone="Pacific/Auckland"), "quiet_hours"),  # where it would come at night
        (preferences(timezone="Europe/Berlin"), None),
        (feedback("opened", nudge_id="n"), None),
    ],
)
def test_a_wish_cancels_what_it_makes_unwelcome(message: dict[str, Any], reason: str | None) -> None:
    done = apply_message(message, planned(), EVERYBODY, NOON)
    assert [decision.reason for decision in done.decisions] == ([reason] if reason else [])
    assert [message.nudge_id for message in done.messages] == (["n"] if reason else [])
    late = apply_message(message, planned(), EVERYBODY, NOON + DAY)
    assert not late.messages, "it has been sent by then"
    assert late.learner.sendings, "and counts"


ASKING = with_campaign(approval="instructor")


def proposed() -> tuple[str, Learner]:
    done = decide(risk_change(), FRESH, ASKING, NOON)
    assert not done.messages
    return done.decisions[0].nudge_id or "", done.learner


def test_an_instructors_yes_sends_what_was_proposed() -> None:
    nudge_id, learner = proposed()
    done = apply_message(feedback("approved", NOON + HOUR, nudge_id=nudge_id), learner, ASKING, 0)
    nudge, (decision,) = nudge_of(done), done.decisions
    assert (nudge.nudge_id, decision.nudge_id, decision.reason) == (nudge_id, nudge_id, "sent")
    assert (nudge.send_at, nudge.expires_at) == (instant(NOON + HOUR), instant(NOON + 72 * HOUR))
    assert decision.decision_id != decide(risk_change(), FRESH, ASKING, NOON).decisions[0].decision_id
    again = apply_message(feedback("approved", NOON + HOUR, nudge_id=nudge_id), done.learner, ASKING, 0)
    assert not again.decisions


def test_an_approval_does_not_make_a_reason_last_longer() -> None:
    """Proposed for a digest days away; then the learner wants no digest any more."""
    done = decide(risk_change(at=NOON + HOUR), of(preferences(digest=True)), ASKING, NOON + HOUR)
    nudge_id, learner = done.decisions[0].nudge_id, done.learner
    learner = apply_message(preferences(NOON + 2 * HOUR, "q", digest=False), learner, ASKING, 0).learner
    nudge = nudge_of(
        apply_message(feedback("approved", NOON + 3 * HOUR, nudge_id=nudge_id), learner, ASKING, 0)
    )
    assert nudge.expires_at == instant(NOON + HOUR + 72 * HOUR)


@pytest.mark.parametrize(
    ("message", "at", "expected"),
    [
        (feedback("declined", nudge_id="?"), NOON, "declined"),
        (feedback("approved", nudge_id="?"), NOON + 72 * HOUR, "expired"),  # too late
        (preferences(opted_out=["email"]), NOON, "opted_out"),
        (feedback("sent"), NOON, "cap_reached"),
    ],
)
def test_an_answer_does_not_override_the_guards(message: dict[str, Any], at: int, expected: str) -> None:
    nudge_id, learner = proposed()
    if message.get("nudge_id"):
        done = apply_message(message | {"nudge_id": nudge_id}, learner, ASKING, at)
    else:
        learner = apply_message(message, learner, ASKING, at).learner
        done = apply_message(feedback("approved", nudge_id=nudge_id), learner, ASKING, at)
    assert [(decision.reason, decision.nudge_id) for decision in done.decisions] == [(expected, nudge_id)]
    assert not done.messages
    assert not done.learner.proposals


@pytest.mark.parametrize("kind", ["preferences", "approved", "sent"])
def test_a_message_of_next_year_does_not_undo_the_caps(kind: str) -> None:
    far = NOON + 400 * DAY
    message = preferences(far, digest=False) if kind == "preferences" else feedback(kind, far, nudge_id="?")
    learner = apply_message(message, others_wrote(NOON - HOUR), EVERYBODY, NOON).learner
    assert decide(risk_change(), learner, EVERYBODY, NOON).decisions[-1].reason == "cap_reached"


FAR = NOON + 400 * DAY


@pytest.mark.parametrize(
    ("far", "sane"),
    [
        (preferences(FAR, "far", opted_out=["email"]), preferences(NOON - HOUR, "sane", opted_out=[])),
        (
            preferences(FAR, "far", paused_until=instant(FAR + DAY)),
            preferences(NOON - HOUR, "sane", paused_until=None),
        ),
        (preferences(FAR, "far", suppressed=True), preferences(NOON - HOUR, "sane", suppressed=False)),
        (feedback("unsubscribed", FAR, "far"), preferences(NOON - HOUR, "sane", opted_out=[])),
    ],
)
def test_in_a_replay_a_wish_of_the_far_future_wins_over_nothing_before_its_time(
    far: dict[str, Any], sane: dict[str, Any]
) -> None:
    learner = FRESH
    for message in (far, sane, far):
        learner = apply_message(message, learner, EVERYBODY, NOON - 2 * HOUR, ahead_s=2 * DAY).learner
        learner = Learner.from_record(orjson.loads(orjson.dumps(learner.to_record())))
    assert decide(risk_change(), learner, EVERYBODY, NOON).decisions[-1].reason == "sent"
    late = decide(risk_change(at=FAR + HOUR), learner, EVERYBODY, FAR + HOUR)
    assert late.decisions[-1].reason in ("opted_out", "paused", "suppressed")
    assert not late.learner.ahead


def test_a_wish_that_is_a_little_ahead_holds_at_once() -> None:
    message = preferences(NOON + DAY, opted_out=["email"])
    learner = apply_message(message, FRESH, EVERYBODY, NOON, ahead_s=2 * DAY).learner
    assert learner.closed("email")


def test_a_wish_whose_time_comes_takes_back_what_is_planned() -> None:
    """A week ahead; the learner is looked at again for another course's sake."""
    learner = apply_message(
        preferences(NOON + 7 * DAY, opted_out=["email"]),
        planned(NOON + 8 * DAY),
        EVERYBODY,
        NOON,
        ahead_s=2 * DAY,
    ).learner
    at = NOON + 7 * DAY + HOUR
    done = decide(risk_change(course_run="B/1", at=at), learner, EVERYBODY, at)
    assert [(row.decision, row.reason) for row in done.decisions] == [
        ("cancel", "opted_out"),
        ("hold", "opted_out"),
    ]
    assert [type(message) for message in done.messages] == [NudgeCancelled]
    assert done.decisions[0].decided_at == instant(NOON + 7 * DAY)


def test_a_recovery_takes_a_proposal_back() -> None:
    nudge_id, learner = proposed()
    done = decide(risk_change("high", "low", at=NOON + DAY), learner, ASKING, NOON + DAY)
    taken, _ = done.decisions
    assert (taken.nudge_id, taken.decision, taken.reason) == (nudge_id, "cancel", "recovered")
    assert (taken.campaign, taken.variant) == ("reach-out", "plain")
    assert not done.messages, "nothing was sent that notifiers could forget"
    assert not apply_message(
        feedback("approved", nudge_id=nudge_id), done.learner, ASKING, NOON + DAY
    ).decisions


def test_the_end_of_an_enrolment_takes_back_what_is_planned_and_proposed_there() -> None:
    nudge_id, learner = proposed()
    learner = decide(risk_change(course_run="B/1", at=NOON + 1), learner, ASKING, NOON + 1).learner
    done = cancel_for_course_run("ann", "BBB/2014B", learner, ASKING, NOON + DAY, "run_over")
    assert [(decision.nudge_id, decision.reason) for decision in done.decisions] == [(nudge_id, "run_over")]
    assert [proposal.course_run for proposal in done.learner.proposals.values()] == ["B/1"]


@pytest.mark.parametrize(
    "then",
    [
        lambda learner, at: decide(risk_change(course_run="B/1", at=at), learner, ASKING, at),
        lambda learner, at: apply_message(preferences(at, digest=True), learner, ASKING, at),
        lambda learner, at: apply_message(feedback("approved", at, nudge_id="another"), learner, ASKING, at),
        lambda learner, at: cancel_for_course_run("ann", "BBB/2014B", learner, ASKING, at, "run_over"),
    ],
)
def test_a_proposal_that_nobody_answers_in_time_has_its_row(
    then: Callable[[Learner, int], DecisionResult],
) -> None:
    nudge_id, learner = proposed()
    before = then(learner, NOON + 72 * HOUR - 1)
    assert "expired" not in [decision.reason for decision in before.decisions]
    first = then(learner, NOON + 90 * HOUR).decisions[0]
    assert (first.nudge_id, first.decision, first.reason) == (nudge_id, "cancel", "expired")
    assert first.decided_at == instant(NOON + 72 * HOUR), "when it expired, not when somebody noticed"


def test_a_yes_sends_the_next_step_that_was_proposed_unless_it_has_been_done() -> None:
    done = decide(risk_change(), FRESH, ASKING, NOON, Situation(next_item="quiz-4"))
    nudge_id, learner = done.decisions[0].nudge_id, Learner.from_record(done.learner.to_record())
    yes = feedback("approved", NOON + HOUR, nudge_id=nudge_id)
    assert nudge_of(apply_message(yes, learner, ASKING, 0)).suggestion == "quiz-4"
    did_it = apply_message(
        yes, learner, ASKING, 0, lambda _, item: Situation(next_item=None if item else "?")
    )
    assert nudge_of(did_it).suggestion is None


def test_a_yes_is_to_the_campaign_that_was_proposed() -> None:
    """Not to the one that would answer now, in a later phase of the course."""
    first = REACH_OUT.model_copy(update={"name": "first", "phases": ("start",), "approval": "instructor"})
    policy = Policy(holdout_share=0.0, campaigns=(first, REACH_OUT))
    done = decide(risk_change(), FRESH, policy, NOON, Situation(phase="start"))
    yes = feedback("approved", NOON + HOUR, nudge_id=done.decisions[0].nudge_id)
    later = apply_message(yes, done.learner, policy, 0, lambda *_: Situation(phase="middle"))
    assert nudge_of(later).campaign == "first"
    without = Policy(holdout_share=0.0)
    gone = apply_message(yes, done.learner, without, 0, lambda *_: Situation(phase="middle"))
    assert [(decision.decision, decision.reason) for decision in gone.decisions] == [("hold", "expired")]


def test_proposals_of_an_older_record_are_read() -> None:
    record = proposed()[1].to_record()
    record["proposals"] = {name: values[:3] for name, values in record["proposals"].items()}
    (proposal,) = Learner.from_record(record).proposals.values()
    assert (proposal.proposed_at, proposal.campaign, proposal.next_item) == (NOON, "", None)


# -- ids ---------------------------------------------------------------------------------------------


def test_ids_are_those_of_the_change_and_the_policy() -> None:
    def ids(done: DecisionResult) -> tuple[str, str]:
        return done.decisions[0].decision_id, nudge_of(done).nudge_id

    first = ids(decide(risk_change(), FRESH, EVERYBODY, NOON))
    assert first == ids(decide(risk_change(), FRESH, EVERYBODY, NOON + 60))
    other_change = ids(decide(risk_change(learner="bob"), FRESH, EVERYBODY, NOON))
    other_policy = ids(decide(risk_change(), FRESH, Policy(holdout_share=0.0, study_time=None), NOON))
    assert len({*first, *other_change, *other_policy}) == 6


@given(st.floats(0.0, 1.0), st.text(min_size=1, max_size=5))
def test_who_is_held_out_gets_none_whatever_the_share(share: float, learner: str) -> None:
    policy = Policy(holdout_share=share)
    done = decide(risk_change(learner=learner), FRESH, policy, NOON)
    out = held_out(policy.holdout_key, learner, "BBB/2014B", share)
    assert [decision.reason for decision in done.decisions] == ["holdout" if out else "sent"]


def test_a_record_is_plain_data() -> None:
    _, learner = proposed()
    learner = of(
        preferences(opted_out=["sms"], paused_until=instant(NOON), timezone="Europe/Berlin"),
        feedback("unsubscribed", channel="push"),
        feedback("sent", channel="email"),
        learner=learner,
    )
    assert Learner.from_record(orjson.loads(orjson.dumps(learner.to_record()))) == learner
    assert Learner.from_record({}) == FRESH
    assert FRESH.to_record() == {}
