"""One nudge has one holder at a time, whoever writes what in which order."""

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from notifier.claims import NEW, Claims
from schemas.receipt import NudgeReceipt, ReceiptState

NOW = datetime(2026, 3, 1, tzinfo=UTC)


def receipt(state: ReceiptState, claim: str, attempt: int = 1, name: str = "n") -> NudgeReceipt:
    return NudgeReceipt(
        nudge_id=name,
        state=state,
        claim=claim,
        attempt=attempt,
        channel="email",
        occurred_at=NOW,
        expires_at=NOW + timedelta(hours=1),
    )


def after(*receipts: NudgeReceipt) -> Claims:
    claims = Claims()
    for next_receipt in receipts:
        claims.apply(next_receipt)
    return claims


def test_the_first_claim_holds_until_its_attempt_has_failed() -> None:
    claims = after(receipt("claimed", "a"), receipt("claimed", "b"))
    assert claims.state_of("n").holder == "a"
    claims.apply(receipt("failed", "b"))
    assert claims.state_of("n").holder == "a", "only its own failure frees it"
    claims.apply(receipt("failed", "a"))
    assert (claims.state_of("n").holder, claims.state_of("n").attempts) == (None, 1)
    claims.apply(receipt("claimed", "b", attempt=2))
    assert (claims.state_of("n").holder, claims.state_of("n").attempts) == ("b", 2)


def test_what_was_sent_or_dropped_stays_so() -> None:
    for end in ("sent", "dropped"):
        claims = after(receipt("claimed", "a"), receipt(end, "a"), receipt("claimed", "b"))
        assert claims.state_of("n").final
        assert claims.state_of("n").holder is None


def test_only_the_last_receipt_of_a_nudge_is_left_and_it_is_still_not_sent_twice() -> None:
    """What compaction leaves: a claim that never held looks like one in doubt, and is not freed."""
    assert after(receipt("claimed", "b")).state_of("n").holder == "b"
    assert after(receipt("sent", "a")).state_of("n").final
    assert after(receipt("failed", "a", attempt=3)).state_of("n").attempts == 3


def test_what_has_expired_is_forgotten_and_nothing_else() -> None:
    claims = after(receipt("sent", "a"))
    claims.forget(NOW + timedelta(minutes=59))
    assert claims.state_of("n").final
    claims.forget(NOW + timedelta(minutes=61))
    assert claims.state_of("n") == NEW


@given(st.lists(st.integers(0, 2), max_size=60))
def test_of_any_number_of_notifiers_at_most_one_sends(order: list[int]) -> None:
    """Three notifiers, each a claim at a time: what one does next depends on the standing it reads back."""
    claims, sent = Claims(), 0
    doing: dict[int, str] = {}
    for step, who in enumerate(order):
        standing = claims.state_of("n")
        mine = doing.get(who)
        if mine is None and not standing.final:
            doing[who] = f"{who}-{step}"
            claims.apply(receipt("claimed", doing[who], standing.attempts + 1))
        elif mine is not None and standing.holder == mine:
            sent += step % 3 != 0
            claims.apply(receipt("failed" if step % 3 == 0 else "sent", mine, standing.attempts))
            del doing[who]
        else:
            doing.pop(who, None)
    assert sent <= 1
