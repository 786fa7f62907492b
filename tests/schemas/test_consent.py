"""A learner's no, and who may take it back: any order, any repeats, and nobody but those two."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from schemas.consent import CHANNELS, FOREVER, MAX_OPT_OUTS, PAUSED, SUPPRESSED, Consent, may_opt_in

T = 1_000_000
moments = st.integers(T, T + 6)
preferences = st.fixed_dictionaries(
    {"occurred_at": moments},
    optional={
        "opted_out": st.lists(st.sampled_from(CHANNELS), max_size=2),
        "paused_until": st.none() | st.integers(T, T + 99),
        "suppressed": st.booleans(),
        "said_by": st.sampled_from(["learner", "instructor", "admin"]),
        "reason": st.sampled_from(["", " ", "asked by telephone"]),
    },
)
unsubscriptions = st.fixed_dictionaries(
    {"occurred_at": moments, "unsubscribed": st.sampled_from(["", "email", "sms"])}
)
histories = st.lists(preferences | unsubscriptions, max_size=10)


def after(messages: list[dict[str, Any]], consent: Consent | None = None) -> Consent:
    consent = consent or Consent()
    for message in messages:
        if "unsubscribed" in message:
            consent = consent.after_unsubscription(message, message["unsubscribed"])
        else:
            consent = consent.after_preferences(message)
    return consent


@given(histories, st.data())
def test_order_and_repeats_change_nothing(messages: list[dict[str, Any]], data: st.DataObject) -> None:
    again = data.draw(st.permutations(messages + messages[: len(messages) // 2]))
    assert after(again) == after(messages)
    assert Consent.from_record(after(messages).to_record()) == after(messages)


@given(histories)
def test_the_rule_in_other_words(messages: list[dict[str, Any]]) -> None:
    """Scope by scope, from all messages at once: an opt-out without a later opt-in."""
    consent = after(messages)
    allowed = [message for message in messages if "unsubscribed" not in message and may_opt_in(message)]
    for channel in CHANNELS:
        opt_outs = [
            message["occurred_at"]
            for message in messages
            if channel in message.get("opted_out", ()) or message.get("unsubscribed", "no") in ("", channel)
        ]
        opt_ins = [
            message["occurred_at"] for message in allowed if channel not in message.get("opted_out", CHANNELS)
        ]
        assert consent.is_opted_out(channel) == (max(opt_outs, default=0) >= max(opt_ins, default=1))
    opt_outs = [message["occurred_at"] for message in messages if message.get("suppressed")]
    opt_ins = [message["occurred_at"] for message in allowed if message.get("suppressed") is False]
    assert consent.suppressed == (max(opt_outs, default=0) >= max(opt_ins, default=1))
    since = max((message["occurred_at"] for message in allowed if "paused_until" in message), default=0)
    pauses = [
        message["paused_until"]
        for message in messages
        if message.get("paused_until") is not None and message["occurred_at"] >= since
    ]
    assert consent.paused_until == max(pauses, default=None)


@given(histories, histories)
def test_whoever_may_not_opens_nothing(before: list[dict[str, Any]], later: list[dict[str, Any]]) -> None:
    consent = after(before)
    others = [message for message in later if "unsubscribed" not in message and not may_opt_in(message)]
    after_others = after(
        [message | {"occurred_at": message["occurred_at"] + 100} for message in others], consent
    )
    assert set(consent.opted_out) <= set(after_others.opted_out)
    assert after_others.suppressed >= consent.suppressed
    assert (after_others.paused_until or 0) >= (consent.paused_until or 0)


@given(st.permutations(range(3 * MAX_OPT_OUTS)))
def test_a_record_is_bounded_and_to_bound_it_opens_nothing(order: list[int]) -> None:
    consent = after([{"occurred_at": T + number, "paused_until": T + 900 - number} for number in order])
    assert len(consent.opt_outs[PAUSED]) <= MAX_OPT_OUTS
    assert consent.paused_until == T + 900


def test_what_would_be_opened_by_somebody_who_may_not_is_named() -> None:
    consent = after([{"occurred_at": T, "opted_out": ["sms"], "suppressed": True, "paused_until": T + 9}])
    message = {"occurred_at": T + 1, "opted_out": [], "suppressed": False, "paused_until": T + 5}
    assert consent.refused_opt_ins(message) == ["sms", PAUSED, SUPPRESSED]
    assert consent.refused_opt_ins(message | {"paused_until": T + 10}) == ["sms", SUPPRESSED]
    assert consent.refused_opt_ins(message | {"said_by": "learner"}) == []
    assert consent.since == {"sms": T, PAUSED: T, SUPPRESSED: T}


def test_a_record_of_before_there_was_a_rule_keeps_what_it_closed() -> None:
    consent = Consent.from_record(
        {
            "wishes": {
                "opted_out": [T, "a", ["sms"]],
                "paused_until": [T + 1, "b", T + 50],
                "suppressed": [T + 2, "c", True],
            },
            "unsubscribed": {"email": T + 3},
        }
    )
    assert consent.opted_out == ["email", "sms"]
    assert (consent.paused_until, consent.suppressed) == (T + 50, True)
    assert consent.opt_outs["email"] == ((T + 3, FOREVER),)
