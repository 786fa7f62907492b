"""Digests gather in any order, each nudge once, and leave nothing behind."""

from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from random import Random

from hypothesis import given
from hypothesis import strategies as st

from notifier.bundles import Digests, digest_name
from notifier.nudge_consumer import Record
from schemas.learner import Channel
from schemas.nudge import Nudge
from tests.notifier.nudging import nudge

MONDAY = datetime(2026, 3, 2, 9, tzinfo=UTC)


def in_digest(number: int, learner: str = "ann", channel: Channel = "email", hours: int = 0) -> Nudge:
    send_at = MONDAY + timedelta(hours=hours)
    decided = MONDAY - timedelta(minutes=number)
    return nudge(f"n{number}", learner=learner, channel=channel).model_copy(
        update={
            "digest": True,
            "send_at": send_at,
            "expires_at": send_at + timedelta(days=1),
            "decided_at": decided,
        }
    )


places = st.tuples(st.sampled_from(["ann", "bob"]), st.sampled_from(["email", "sms"]), st.integers(0, 1))


@given(st.lists(st.tuples(st.integers(0, 5), places), max_size=12), st.sets(st.integers(0, 5)), st.randoms())
def test_each_nudge_is_in_one_parcel_once(
    read: list[tuple[int, tuple[str, Channel, int]]], unwanted: set[int], draw: Random
) -> None:
    """Read in any order and more than once; a nudge's place is its own."""
    of = dict(read)
    nudges = {number: in_digest(number, *identity) for number, identity in of.items()}
    digests, records = (
        Digests[str](),
        [(Record(0, offset, b""), nudges[number]) for offset, (number, _) in enumerate(read)],
    )
    draw.shuffle(records)
    with ExitStack() as there:
        joined = [there.enter_context(digests.joined(due, record)) for record, due in records]
        by_name = {digest.name: digest for digest in joined}
        assert len(by_name) == len({of[number] for number in nudges})
        bundles = [
            digest.bundle(lambda due: int(due.nudge_id[1:]) not in unwanted) for digest in by_name.values()
        ]
        sent = [due for bundle in bundles for due in bundle.nudges]
        assert sorted(due.nudge_id for due in sent) == sorted(f"n{number}" for number in {*of} - unwanted)
        for bundle in bundles:
            assert [due.decided_at for due in bundle.nudges] == sorted(
                due.decided_at for due in bundle.nudges
            )
            assert {digest_name(due) for due in bundle.nudges} <= {bundle.nudge_id}
            assert len(bundle.records) == len(bundle.nudges)
    assert not digests._digests, "nothing is left"
