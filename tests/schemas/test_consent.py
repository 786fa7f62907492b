"""A learner's no, and who may take it back: any order, any repeats, and nobody but those two."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from schemas.consent import CHANNELS, FOREVER, MOST_NOES, PAUSED, SUPPRESSED, Consent, takes_back

T = 1_000_000
moments = st.integers(T, T + 6)
wishes = st.fixed_dictionaries(
    {"occurred_at": moments},
    optional={
        "opted_out": st.lists(st.sampled_from(CHANNELS), max_size=2),
        "paused_until": st.none() | st.integers(T, T + 99),
        "suppressed": st.booleans(),
        "said_by": st.sampled_from(["learner", "instructor", "admin"]),
        "reason": st.sampled_from(["", " ", "asked by telephone"]),
    },
)
left = st.fixed_dictionaries({"occurred_at": moments, "unsubscribed": st.sampled_from(["", "email", "sms"])})
said = st.lists(wishes | left, max_size=10)


def after(messages: list[dict[str, Any]], found: Consent | None = None) -> Consent:
    found = found or Consent()
    for one in messages:
        if "unsubscribed" in one:
            found = found.unsubscribed(one, one["unsubscribed"])
        else:
            found = found.preferences(one)
    return found


@given(said, st.data())
def test_order_and_repeats_change_nothing(messages: list[dict[str, Any]], data: st.DataObject) -> None:
    again = data.draw(st.permutations(messages + messages[: len(messages) // 2]))
    assert after(again) == after(messages)
    assert Consent.of(after(messages).record()) == after(messages)


@given(said)
def test_the_rule_in_other_words(messages: list[dict[str, Any]]) -> None:
    """Door by door, from all messages at once: a no that nobody has taken back since."""
    found = after(messages)
    may = [one for one in messages if "unsubscribed" not in one and takes_back(one)]
    for channel in CHANNELS:
        noes = [
            one["occurred_at"]
            for one in messages
            if channel in one.get("opted_out", ()) or one.get("unsubscribed", "no") in ("", channel)
        ]
        opened = [one["occurred_at"] for one in may if channel not in one.get("opted_out", CHANNELS)]
        assert found.closed(channel) == (max(noes, default=0) >= max(opened, default=1))
    noes = [one["occurred_at"] for one in messages if one.get("suppressed")]
    opened = [one["occurred_at"] for one in may if one.get("suppressed") is False]
    assert found.suppressed == (max(noes, default=0) >= max(opened, default=1))
    since = max((one["occurred_at"] for one in may if "paused_until" in one), default=0)
    pauses = [
        one["paused_until"]
        for one in messages
        if one.get("paused_until") is not None and one["occurred_at"] >= since
    ]
    assert found.paused_until == max(pauses, default=None)


@given(said, said)
def test_whoever_may_not_opens_nothing(before: list[dict[str, Any]], later: list[dict[str, Any]]) -> None:
    found = after(before)
    others = [one for one in later if "unsubscribed" not in one and not takes_back(one)]
    then = after([one | {"occurred_at": one["occurred_at"] + 100} for one in others], found)
    assert set(found.opted_out) <= set(then.opted_out)
    assert then.suppressed >= found.suppressed
    assert (then.paused_until or 0) >= (found.paused_until or 0)


@given(st.permutations(range(3 * MOST_NOES)))
def test_a_record_is_bounded_and_to_bound_it_opens_nothing(order: list[int]) -> None:
    found = after([{"occurred_at": T + one, "paused_until": T + 900 - one} for one in order])
    assert len(found.noes[PAUSED]) <= MOST_NOES
    assert found.paused_until == T + 900


def test_what_would_be_opened_by_somebody_who_may_not_is_named() -> None:
    closed = after([{"occurred_at": T, "opted_out": ["sms"], "suppressed": True, "paused_until": T + 9}])
    asked = {"occurred_at": T + 1, "opted_out": [], "suppressed": False, "paused_until": T + 5}
    assert closed.withheld(asked) == ["sms", PAUSED, SUPPRESSED]
    assert closed.withheld(asked | {"paused_until": T + 10}) == ["sms", SUPPRESSED]
    assert closed.withheld(asked | {"said_by": "learner"}) == []
    assert closed.since == {"sms": T, PAUSED: T, SUPPRESSED: T}


def test_a_record_of_before_there_was_a_rule_keeps_what_it_closed() -> None:
    found = Consent.of(
        {
            "wishes": {
                "opted_out": [T, "a", ["sms"]],
                "paused_until": [T + 1, "b", T + 50],
                "suppressed": [T + 2, "c", True],
            },
            "unsubscribed": {"email": T + 3},
        }
    )
    assert found.opted_out == ["email", "sms"]
    assert (found.paused_until, found.suppressed) == (T + 50, True)
    assert found.noes["email"] == ((T + 3, FOREVER),)
