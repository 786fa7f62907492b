"""Caps and opt-outs hold across a merge, and what was planned under the old name is cancelled."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from engine.processor import PartitionProcessor
from engine.state.partition_state import PartitionState
from nudges.learners import Learner, Sending, update_learner
from online_models.trainer import Trainer
from schemas.consent import CHANNELS
from schemas.fields import DAY_S
from sources.stream import instant as moment
from tests.engine.accounts.streams import DAY, in_order, merge
from tests.streams.pipeline import IDENTITY, REPLAY, batch_of, record
from tests.streams.pipeline import activity as click

OLD, WHO = "old", "new"
SENT = Sending(DAY * DAY_S - 3_600, "nudge-1", "email", "campaign", "a", "c/r", "change")
PLANNED = Sending((DAY + 9) * DAY_S, "nudge-2", "email", "campaign", "a", "c/r", "change")


def merged_state() -> tuple[PartitionState, list[Any]]:
    """A partition with an account that was sent a nudge, has one planned and an opt-out; then merged."""
    state = PartitionState(IDENTITY)
    processor, trainer = PartitionProcessor(0, REPLAY, state), Trainer(1)
    learner = Learner(sendings=(SENT, PLANNED))
    learner = update_learner(
        learner,
        {
            "type": "preferences",
            "event_id": "p",
            "learner": OLD,
            "occurred_at": (DAY - 2) * DAY_S,
            "opted_out": ["sms"],
            "timezone": "Europe/Berlin",
        },
    )
    state.set_learner(OLD, learner.to_record())
    days = [(OLD, DAY - 1), (OLD, DAY), (WHO, DAY + 1), (WHO, DAY + 2)]
    records = [record(click(f"{who}{day}", moment(day * DAY_S + 60), learner=who)) for who, day in days] + [
        ((m.key or "").encode(), m.value) for m in in_order(merge(OLD, WHO))
    ]
    records += [record({"type": "tick", "occurred_at": moment((DAY + 3) * DAY_S)})]
    records.sort(key=lambda each: each[1].split(b'"occurred_at":"')[1][:20])
    nudges: list[Any] = []
    outputs = processor.apply(batch_of(records))
    nudges += outputs.nudges
    while processor.due is not None:
        (report,) = processor.close()
        (package,) = trainer.receive(report)
        nudges += processor.advance(package).nudges
    return state, nudges


def test_what_was_sent_counts_and_what_was_planned_is_cancelled() -> None:
    state, nudges = merged_state()
    assert OLD not in state.learners
    learner = Learner.from_record(state.learners[WHO])
    assert learner.sendings == (SENT,)
    assert learner.closed("sms")
    assert not learner.closed("email")
    assert learner.zone == "Europe/Berlin"
    (cancelled,) = nudges
    assert (cancelled.type, cancelled.nudge_id, cancelled.reason, cancelled.learner) == (
        "nudge_cancelled",
        "nudge-2",
        "merged",
        OLD,
    )


NOBODY = Learner()
WISHES = st.lists(
    st.tuples(st.integers(1, 20), st.sampled_from(CHANNELS), st.booleans(), st.booleans()), max_size=8
)


def with_wishes(wishes: list[tuple[int, str, bool, bool]], name: str, learner: Learner = NOBODY) -> Learner:
    for number, (at, channel, closes, by_learner) in enumerate(wishes):
        learner = update_learner(
            learner,
            {
                "type": "preferences",
                "event_id": f"{name}{number}",
                "learner": name,
                "occurred_at": at,
                "opted_out": [channel] if closes else [],
                "said_by": "learner" if by_learner else "instructor",
            },
        )
    return learner


@given(WISHES, WISHES)
def test_joined_wishes_are_those_of_one_account(one: list[Any], other: list[Any]) -> None:
    """In either order, and as if all had been said under one name; nothing that is closed opens."""
    joined = with_wishes(one, "a").joined_with(with_wishes(other, "b"))
    again = with_wishes(other, "b").joined_with(with_wishes(one, "a"))
    assert joined.consent.opted_out == again.consent.opted_out
    together = with_wishes(other, "b", with_wishes(one, "a"))
    assert set(joined.consent.opted_out) == set(together.consent.opted_out)
