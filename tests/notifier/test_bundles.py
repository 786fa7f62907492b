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
    at = MONDAY + timedelta(hours=hours)
    decided = MONDAY - timedelta(minutes=number)
    return nudge(f"n{number}", learner=learner, channel=channel).model_copy(
        update={"digest": True, "send_at": at, "expires_at": at + timedelta(days=1), "decided_at": decided}
    )


places = st.tuples(st.sampled_from(["ann", "bob"]), st.sampled_from(["email", "sms"]), st.integers(0, 1))


@given(st.lists(st.tuples(st.integers(0, 5), places), max_size=12), st.sets(st.integers(0, 5)), st.randoms())
def test_each_nudge_is_in_one_parcel_once(
    read: list[tuple[int, tuple[str, Channel, int]]], unwanted: set[int], draw: Random
) -> None:
    """Read in any order and more than once; a nudge's place is its own."""
    of = dict(read)
    nudges = {number: in_digest(number, *place) for number, place in of.items()}
    digests, records = (
        Digests[str](),
        [(Record(0, at, b""), nudges[number]) for at, (number, _) in enumerate(read)],
    )
    draw.shuffle(records)
    with ExitStack() as there:
        joined = [there.enter_context(digests.joined(one, record)) for record, one in records]
        by_name = {digest.name: digest for digest in joined}
        assert len(by_name) == len({of[number] for number in nudges})
        bundles = [one.bundle(lambda one: int(one.nudge_id[1:]) not in unwanted) for one in by_name.values()]
        sent = [one for bundle in bundles for one in bundle.nudges]
        assert sorted(one.nudge_id for one in sent) == sorted(f"n{number}" for number in {*of} - unwanted)
        for bundle in bundles:
            assert [one.decided_at for one in bundle.nudges] == sorted(
                one.decided_at for one in bundle.nudges
            )
            assert {digest_name(one) for one in bundle.nudges} <= {bundle.nudge_id}
            assert len(bundle.records) == len(bundle.nudges)
    assert not digests._digests, "nothing is left"
