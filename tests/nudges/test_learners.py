"""What is heard of a learner: any order, any repeats, the same record; and what closes a channel."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nudges.learners import MAX_WAITING_WISHES, Learner, is_contact_wish, update_learner
from tests.nudges.changes import DAY, NOON, feedback, instant, preferences

BY_LEARNER = {"said_by": "learner"}
LEFT = feedback("unsubscribed", NOON, channel="email")

moments = st.integers(NOON, NOON + 5)
channels = st.sampled_from(["email", "sms", "push"])
wishes = st.fixed_dictionaries(
    {},
    optional={
        "opted_out": st.lists(channels, max_size=2),
        "paused_until": st.none() | moments.map(instant),
        "digest": st.booleans(),
        "suppressed": st.booleans(),
        "timezone": st.sampled_from(["Europe/Berlin", "Asia/Tokyo"]),
        "said_by": st.sampled_from(["learner", "instructor", "admin"]),
        "reason": st.sampled_from(["", "asked by telephone"]),
    },
)


@st.composite
def messages(draw: st.DrawFn) -> list[dict[str, Any]]:
    """Some messages, each with an id of its own, as every source gives them."""
    found = []
    for number in range(draw(st.integers(0, 8))):
        at, event = draw(moments), f"e{number}"
        if draw(st.booleans()):
            found.append(preferences(at, event, **draw(wishes)))
            continue
        kind = draw(st.sampled_from(["sent", "delivered", "opened", "unsubscribed"]))
        more: dict[str, Any] = {"channel": draw(channels | st.none())} if kind != "unsubscribed" else {}
        if kind == "unsubscribed":
            more["channel"] = draw(channels)
        if kind == "delivered":
            more["nudge_id"] = event
        found.append(feedback(kind, at, event, **more))
    return found


def after(some: list[dict[str, Any]]) -> Learner:
    learner = Learner()
    for message in some:
        learner = update_learner(learner, message)
    return learner


@given(messages(), st.data())
def test_order_and_repeats_change_nothing(some: list[dict[str, Any]], data: st.DataObject) -> None:
    again = data.draw(st.permutations(some + some[: len(some) // 2]))
    assert after(again) == after(some)


@given(messages(), st.integers(0, 6), st.data())
def test_what_waits_for_its_time_counts_as_if_it_were_heard_then(
    some: list[dict[str, Any]], later: int, data: st.DataObject
) -> None:
    wishes = [one for one in some if is_contact_wish(one)]
    waiting, now = Learner(), NOON + later
    for one in data.draw(st.permutations(wishes + wishes[:2])):
        waiting = waiting.defer(one)
    learner, due = waiting.pop_due_wishes(now)
    assert [one["occurred_at"] for one in due] == sorted(
        int(wish["occurred_at"].timestamp()) for wish in wishes if wish["occurred_at"] <= instant(now)
    )
    for said in due:
        learner = update_learner(learner, said)
    straight = after([wish for wish in wishes if wish["occurred_at"] <= instant(now)])
    assert (learner.wishes, learner.consent) == (straight.wishes, straight.consent)
    assert len(learner.ahead) == len(wishes) - len(due)


def test_a_flood_of_the_future_keeps_the_earliest() -> None:
    learner = Learner()
    for number in range(2 * MAX_WAITING_WISHES, 0, -1):
        learner = learner.defer(preferences(NOON + number, f"e{number}", digest=True))
    assert {said["occurred_at"] for said in learner.ahead.values()} == {
        NOON + number for number in range(1, MAX_WAITING_WISHES + 1)
    }


@pytest.mark.parametrize(
    ("said", "closed"),
    [
        ([], []),
        ([preferences(opted_out=["sms"])], ["sms"]),
        ([preferences(NOON + 1, "b", opted_out=[], **BY_LEARNER), preferences(opted_out=["sms"])], []),
        ([preferences(NOON + 1, "b", opted_out=[]), preferences(opted_out=["sms"])], ["sms"]),
        ([preferences(NOON + 1, "b", opted_out=[], said_by="instructor"), LEFT], ["email"]),
        ([preferences(NOON + 1, "b", opted_out=[], said_by="admin", reason=" "), LEFT], ["email"]),
        ([preferences(NOON + 1, "b", opted_out=[], said_by="admin", reason="she rang"), LEFT], []),
        ([feedback("unsubscribed", channel="email")], ["email"]),
        ([feedback("unsubscribed")], ["email", "in_app", "instructor", "push", "sms"]),  # from what? from all
        ([LEFT, preferences(NOON - 1, opted_out=[], **BY_LEARNER)], ["email"]),
        ([LEFT, preferences(NOON, opted_out=[], **BY_LEARNER)], ["email"]),
        ([LEFT, preferences(NOON + 1, opted_out=[], **BY_LEARNER)], []),
        ([LEFT, preferences(NOON + 1, opted_out=["sms"], **BY_LEARNER)], ["sms"]),
        ([LEFT, preferences(NOON + 1, digest=True, **BY_LEARNER)], ["email"]),
        (
            [feedback("delivered", nudge_id="n", channel="push"), feedback("unsubscribed", nudge_id="n")],
            ["push"],
        ),
    ],
)
def test_what_closes_a_channel(said: list[dict[str, Any]], closed: list[str]) -> None:
    learner = after(said)
    assert [one for one in ("email", "in_app", "instructor", "push", "sms") if learner.closed(one)] == closed


def test_a_message_counts_once_whoever_tells_of_it() -> None:
    told = [
        feedback("sent", NOON, "a", nudge_id="n"),
        feedback("delivered", NOON + 9, "b", nudge_id="n"),
        feedback("delivered", NOON + 9, "c"),  # of what?
        feedback("sent", NOON, "d"),
    ]
    assert [sending.message_id for sending in after(told).sendings] == ["d", "n"]


def test_what_no_cap_can_reach_is_forgotten() -> None:
    learner = after([feedback("sent", NOON - 90 * DAY, "a"), feedback("sent", NOON - 90 * DAY + 1, "b")])
    assert [sending.message_id for sending in learner.forget(NOON).sendings] == ["b"]


def test_a_zone_of_preferences_goes_before_that_of_an_enrolment() -> None:
    enrolled = {"type": "enrolled", "learner": "ann", "timezone": "Asia/Tokyo"}
    learner = after([enrolled, enrolled | {"timezone": "Asia/Seoul"}])
    assert learner.zone == "Asia/Tokyo"
    assert update_learner(learner, preferences(timezone="Europe/Berlin")).zone == "Europe/Berlin"
    assert update_learner(learner, preferences(timezone=None)).zone == "Asia/Tokyo"
