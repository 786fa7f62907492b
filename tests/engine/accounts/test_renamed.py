"""Course runs that get another name: who is in them stays who they are, whatever name their events bear."""

from functools import cache

import orjson
import pytest

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
    rename,
    term,
)
from tests.streams.pipeline import logs_of
from tests.streams.pipeline import play as play_logs

NEW = "b/now"
WHO = busy_learners()[0]


@cache
def original() -> Told:
    return play(term())


def in_new_run(message: Message) -> Message:
    return message | {"course_run": NEW} if message.get("course_run") == RUN else message


def of_run(told: Told, run: str, since: int) -> dict[tuple[str, int], float]:
    return {
        (who, day): estimate
        for (who, where, day), estimate in told.estimates.items()
        if where == run and day >= since
    }


@pytest.mark.parametrize("partitions", [1, 3])
@pytest.mark.parametrize("follow", [True, False], ids=["events follow", "events keep the old name"])
def test_the_estimates_go_on_under_the_new_name(partitions: int, follow: bool) -> None:
    messages = term()
    if follow:
        messages = [message if before(DAY + 1)(message) else in_new_run(message) for message in messages]
    told = play([*messages, rename(NEW)], partitions)
    assert of_run(told, RUN, DAY + 1) == {}
    expected = of_run(original(), RUN, DAY + 1)
    found = of_run(told, NEW, DAY + 1)
    assert found.keys() == expected.keys()
    # The course is another one by its name, which is an input of the model.
    assert max(abs(found[key] - expected[key]) for key in found) < 0.1
    for who, day in found:
        if day < DAY + 10:
            assert told.codes[who, NEW, day] == original().codes[who, RUN, day]


def test_within_a_course_nothing_is_moved_at_all() -> None:
    told = play([*term(), rename("a/renamed")], 3)
    assert of_run(told, "a/renamed", DAY + 1) == of_run(original(), RUN, DAY + 1)


def test_of_two_renames_the_newest_holds() -> None:
    told = play([*term(), rename("a/second", DAY + 0.4), rename("a/first", DAY - 0.6)], 2)
    assert of_run(told, "a/second", DAY + 1) == of_run(original(), RUN, DAY + 1)


def test_renamed_there_and_back() -> None:
    told = play([*term(), rename("a/other", DAY + 0.4), rename(RUN, DAY + 2.4, old="a/other")], 2)
    assert of_run(told, RUN, DAY + 3) == of_run(original(), RUN, DAY + 3)


@pytest.mark.parametrize("delay_h", [0.5, 5.5])
def test_it_may_come_late_within_the_lateness(delay_h: float) -> None:
    renamed = rename("a/renamed", DAY + 0.95)
    stream = list(in_order([*term(), renamed]))
    (told,) = [message for message in stream if message.value == orjson.dumps(renamed)]
    stream.remove(told)
    arrives = told.occurred_at + delay_h * 3_600
    position = next(index for index, message in enumerate(stream) if message.occurred_at > arrives)
    late = play_stream([*stream[:position], told, *stream[position:]], 2)
    assert of_run(late, "a/renamed", DAY + 1) == of_run(original(), RUN, DAY + 1)


def test_a_calendar_under_either_name_is_the_runs() -> None:
    (calendar,) = [m for m in term() if m["type"] == "calendar" and m["course_run"] == RUN]
    moved = calendar | {"event_id": "moved", "occurred_at": rename("x", DAY + 2)["occurred_at"]}
    moved["deadlines"] = moved["deadlines"][:1]
    plain = play([*term(), moved])
    told = play([*term(), rename("a/renamed"), moved], 2)
    assert of_run(told, "a/renamed", DAY + 1) == of_run(plain, RUN, DAY + 1)


def test_caps_and_the_store_know_the_new_name() -> None:
    told = play([*term(), rename("a/renamed")], 2)
    facts = told.outputs.rows["learner_facts"]
    renamed = [
        (run, detail)
        for run, fact, detail in zip(facts["course_run"], facts["fact"], facts["detail"], strict=True)
        if fact == "renamed"
    ]
    assert set(renamed) == {(RUN, "a/renamed")}
    for processor in told.processors:
        for history in processor.state.learners.values():
            assert RUN not in {sending[5] for sending in history.get("sendings", [])}


def test_a_merge_and_a_rename_on_one_day() -> None:
    other = "an account of before"
    messages = [
        message | {"learner": other}
        if message.get("learner") == WHO and before(DAY + 1)(message)
        else message
        for message in term()
    ]
    told = play([*messages, *merge(other, WHO), rename("a/renamed")], 3)
    assert told.of(WHO, "a/renamed", DAY + 1) == original().of(WHO, since=DAY + 1)


@pytest.mark.parametrize("seed", range(3))
def test_restarts_and_partitions_change_nothing(seed: int) -> None:
    messages = [*term(), rename("a/renamed")]
    alone = play_logs(logs_of(in_order(messages)))
    moments = frozenset((partition, 7 * step + seed) for partition in range(3) for step in range(12))
    told = play_logs(logs_of(in_order(messages), 3), checkpoints=moments, crashes=moments)
    assert told.contradictions == []
    assert told.estimates() == alone.estimates()
