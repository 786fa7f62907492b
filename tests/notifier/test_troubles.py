"""TroubleLog are told at once, and then added up: neither in silence nor in a flood."""

import logging

import pytest

from notifier.troubles import MAX_KINDS, TroubleLog


def test_each_kind_is_told_at_once_and_then_with_its_count(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING)
    troubles = TroubleLog(60.0)
    for _ in range(76):
        troubles.report("email", "refused by the provider: 451 to the mail")
    troubles.report("sms", "no_address")
    assert caplog.messages == ["email: refused by the provider: 451 to the mail", "sms: no_address"]
    caplog.clear()
    troubles.report_repeats()
    assert caplog.messages == ["email: refused by the provider: 451 to the mail; 75 times more in 60 s"]
    troubles.report("sms", "no_address")
    assert caplog.messages[1:] == ["sms: no_address"], "it had stopped, so it is new"
    troubles.report("email", "refused by the provider: 451 to the mail")
    assert len(caplog.messages) == 2, "this one goes on"


def test_ever_new_kinds_are_no_flood_and_every_one_is_counted(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING)
    troubles = TroubleLog(60.0)
    for number in range(1000):
        troubles.report("push", f"trouble {number}")
    assert len(caplog.messages) == MAX_KINDS + 1
    troubles.report_repeats()
    assert caplog.messages[-1] == f"elsewhere: other troubles; {1000 - MAX_KINDS - 1} times more in 60 s"
