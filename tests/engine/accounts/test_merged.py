"""Merged accounts: from then on, the one that stays is who would have had one account all the time."""

from functools import cache

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.state.partition_state import PartitionState
from tests.engine.accounts.streams import (
    DAY,
    RUN,
    Message,
    Told,
    before,
    busy_learners,
    in_order,
    merge,
    play,
    play_stream,
    term,
    under,
)
from tests.streams.pipeline import IDENTITY, logs_of
from tests.streams.pipeline import play as play_logs

WHO = busy_learners()[0]
OLD = "an account of before"
OTHER = busy_learners()[1]


@cache
def original() -> Told:
    return play(term())


def with_two_accounts(day: float = DAY + 1) -> list[Message]:
    """The learner has another account before the merge."""
    return under(term(), WHO, OLD, before(day))


def others(told: Told, *names: str) -> dict[tuple[str, str, int], float]:
    return {key: estimate for key, estimate in told.estimates.items() if key[0] not in names}


@pytest.mark.parametrize("partitions", [1, 4])
def test_from_then_on_the_estimates_are_those_of_one_account(partitions: int) -> None:
    told = play([*with_two_accounts(), *merge(OLD, WHO)], partitions)
    assert told.of(WHO, since=DAY + 1) == original().of(WHO, since=DAY + 1)
    assert len(told.of(WHO, since=DAY + 1)) > 10
    assert max(told.days(OLD)) == DAY
    assert others(told, WHO, OLD) == others(original(), WHO, OLD), "nobody else is moved"


def test_who_was_active_under_both_names_on_the_day_misses_one_estimate() -> None:
    """Neither partition knows all of that day before the package; the memory of the estimates lacks it."""
    told = play([*with_two_accounts(DAY + 0.4), *merge(OLD, WHO)], 4)
    assert set(original().of(WHO, since=DAY)) - set(told.of(WHO, since=DAY)) <= {DAY, DAY + 1}
    for day, estimate in told.of(WHO, since=DAY + 2).items():
        assert estimate == pytest.approx(original().of(WHO)[day], abs=0.005)


def test_without_the_merge_two_half_learners_would_be_told_of() -> None:
    told = play(with_two_accounts())
    last = max(told.days(OLD))
    assert told.estimates[OLD, RUN, last] > original().estimates[WHO, RUN, last] + 0.1


def test_risk_changes_and_decisions_go_on_under_the_name_that_stays() -> None:
    told = play([*with_two_accounts(), *merge(OLD, WHO)], 4)

    def changes(of: Told, names: tuple[str, ...]) -> list[tuple[int, str, str]]:
        return [
            (change.day, change.previous_level, change.level)
            for change in of.outputs.risk_changes
            if change.learner in names and change.course_run == RUN
        ]

    assert changes(told, (OLD, WHO)) == changes(original(), (WHO,))
    late = [change for change in told.outputs.risk_changes if change.day > DAY + 1]
    assert OLD not in {change.learner for change in late}


@pytest.mark.parametrize("partitions", [1, 4])
def test_what_still_comes_under_the_old_name_is_carried_over_each_day(partitions: int) -> None:
    """Whoever publishes has not heard of the merge: clicks and work of three more days."""
    told = play([*under(term(), WHO, OLD, before(DAY + 4)), *merge(OLD, WHO)], partitions)
    assert max(told.days(OLD)) == DAY
    for day, estimate in original().of(WHO, since=DAY + 5).items():
        assert told.codes[WHO, RUN, day] == original().codes[WHO, RUN, day]
        assert told.estimates[WHO, RUN, day] == pytest.approx(estimate, abs=0.005), "but for the memory"


@pytest.mark.parametrize("partitions", [1, 4])
def test_both_accounts_in_one_run_are_counted_together(partitions: int) -> None:
    """Every other message came under the other account, from the start on."""
    turns = iter(range(1_000_000))
    split = under(term(), WHO, OLD, lambda message: moment_is_early(message) and next(turns) % 2 == 0)
    told = play([*split, *merge(OLD, WHO)], partitions)
    for day in range(DAY + 2, DAY + 12):
        assert told.codes[WHO, RUN, day] == original().codes[WHO, RUN, day]


def moment_is_early(message: Message) -> bool:
    return before(DAY + 0.4)(message)


def test_the_withdrawal_of_the_old_account_is_not_the_learners() -> None:
    """Platforms remove the account that goes from its courses."""
    (merged, _) = merge(OLD, WHO)
    removed = merged | {"type": "withdrawn", "event_id": "removed", "course_run": RUN}
    del removed["into"]
    enrolled = removed | {"type": "enrolled", "event_id": "again", "learner": WHO}
    told = play([*with_two_accounts(), removed, enrolled, *merge(OLD, WHO)], 4)
    assert set(told.days(WHO)) >= set(range(DAY + 2, DAY + 10))


@pytest.mark.parametrize("partitions", [1, 3])
def test_a_chain_ends_at_the_last_account(partitions: int) -> None:
    middle = "an account in between"
    told = play([*with_two_accounts(), *merge(OLD, middle), *merge(middle, WHO)], partitions)
    assert max(told.days(OLD)) == DAY
    assert told.days(middle) == []
    assert told.of(WHO, since=DAY + 2).keys() == original().of(WHO, since=DAY + 2).keys()
    assert told.codes[WHO, RUN, DAY + 4] == original().codes[WHO, RUN, DAY + 4]


def test_a_merge_that_is_taken_back_leaves_the_first_account() -> None:
    """Merged the wrong way round, and corrected: of two merges of the same accounts the newest holds."""
    told = play([*term(), *merge(WHO, OTHER, DAY + 0.2), *merge(OTHER, WHO, DAY + 0.6)], 3)
    assert max(told.days(OTHER)) == DAY
    assert max(told.days(WHO)) > DAY + 5


def test_a_circle_does_no_harm_to_others() -> None:
    third = busy_learners()[2]
    circle = [*merge(WHO, OTHER), *merge(OTHER, third), *merge(third, WHO)]
    told = play([*term(), *circle], 3)
    assert len(others(told, WHO, OTHER, third)) == len(others(original(), WHO, OTHER, third))
    assert [letter for letter in told.outputs.dead_letters if letter.reason == "failed"] == []


def test_published_under_one_name_only_nothing_is_lost_but_time() -> None:
    """The record with the key of the account that stays comes three days late."""
    first, second = merge(OLD, WHO)
    late = second | {"occurred_at": first["occurred_at"]}
    stream = [*in_order([*with_two_accounts(), first])]
    position = next(
        index for index, message in enumerate(stream) if message.occurred_at >= (DAY + 4) * 86_400
    )
    (late_record,) = in_order([late])
    told = play_stream([*stream[:position], late_record, *stream[position:]], 3)
    assert (OLD, RUN, DAY + 1) not in told.codes
    assert told.codes[WHO, RUN, DAY + 8] == original().codes[WHO, RUN, DAY + 8]


def test_the_store_is_told_under_which_name_the_history_goes_on() -> None:
    told = play([*with_two_accounts(), *merge(OLD, WHO)], 4)
    facts = told.outputs.rows["learner_facts"]
    merged = [
        (learner, run, detail)
        for learner, run, fact, detail in zip(
            facts["learner"], facts["course_run"], facts["fact"], facts["detail"], strict=True
        )
        if fact == "merged"
    ]
    assert merged == [(IDENTITY.learner(OLD), RUN, IDENTITY.learner(WHO))]


@settings(max_examples=12, deadline=None)
@given(st.data())
def test_partitions_restarts_and_duplicates_change_nothing(data: st.DataObject) -> None:
    messages = [*with_two_accounts(), *merge(OLD, WHO), *merge(OLD, WHO)]
    partitions = data.draw(st.sampled_from([1, 2, 4]))
    moments = st.tuples(st.integers(0, partitions - 1), st.integers(0, 120))
    crashes = data.draw(st.frozensets(moments, max_size=6))
    checkpoints = data.draw(st.frozensets(moments, max_size=12))
    logs = logs_of(in_order(messages), partitions)
    told = play_logs(logs, size=lambda: 400, checkpoints=checkpoints | crashes, crashes=crashes)
    assert told.contradictions == []
    assert told.estimates() == undisturbed().estimates()


@cache
def undisturbed():  # type: ignore[no-untyped-def]
    return play_logs(logs_of(in_order([*with_two_accounts(), *merge(OLD, WHO)])))


def test_the_state_knows_its_merges_after_a_restart() -> None:
    told = play([*with_two_accounts(), *merge(OLD, WHO)])
    (processor,) = told.processors
    if processor.closing is not None:
        pytest.fail("the term is over")
    rows = {key: value for key, value in processor.checkpoint(1) if value is not None}
    restored = PartitionState.restore(IDENTITY, rows.items())
    assert restored.merges.as_json() == processor.state.merges.as_json() != {}
