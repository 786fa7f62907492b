"""What libraries repeat is said once in a while, and counted."""

import logging

from streams.logging_setup import LIBRDKAFKA_LOG, RepeatFilter


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


def record(name: str, message: str, *arguments: object) -> logging.LogRecord:
    return logging.LogRecord(name, logging.ERROR, __file__, 1, message, arguments, None)


def test_a_repeating_library_is_heard_once_in_a_while_with_how_often_it_spoke() -> None:
    clock = Clock()
    seldom = RepeatFilter(30.0, clock)
    assert seldom.filter(record("aiokafka.client", "no node %s: %s", 1, "refused"))
    for _ in range(5):
        clock.now += 1.0
        assert not seldom.filter(record("aiokafka.client", "no node %s: %s", 1, "refused"))
    assert seldom.filter(record("aiokafka.client", "no node %s: %s", 2, "refused")), "another node is news"
    clock.now += 30.0
    again = record("aiokafka.client", "no node %s: %s", 1, "refused")
    assert seldom.filter(again)
    assert again.getMessage() == "no node 1: refused (and 5 times more)"
    clock.now += 30.0
    once = record("aiokafka.client", "no node %s: %s", 1, "refused")
    assert seldom.filter(once)
    assert once.getMessage() == "no node 1: refused"


def test_different_complaints_of_librdkafka_are_not_taken_for_one() -> None:
    seldom = RepeatFilter(30.0, Clock())
    template, name = "%s [%s] %s", LIBRDKAFKA_LOG.name
    assert seldom.filter(record(name, template, "FAIL", "producer-1", "refused"))
    assert not seldom.filter(record(name, template, "FAIL", "producer-2", "refused"))
    assert seldom.filter(record(name, template, "MAXPOLL", "producer-1", "too slow"))


def test_our_own_words_are_never_held_back() -> None:
    seldom = RepeatFilter(30.0, Clock())
    assert all(seldom.filter(record("streams.runner", "again")) for _ in range(3))
