"""The page on outputs says what the code does."""

import re

from schemas.cloud_event import attributes_of, headers_of
from streams.relay.caliper import ACTIONS
from streams.relay.service import ROUND
from streams.relay.settings import RelaySettings
from tests.notifier.nudging import cancelled, nudge
from tests.streams.relay.messages import change
from tests.test_repository import ROOT

PAGE = (ROOT / "docs" / "outputs.md").read_text("utf-8")


def test_the_headers_are_those_of_the_table() -> None:
    documented = re.findall(r"^\| `(content-type|ce_\w+)` \|", PAGE, re.MULTILINE)
    assert documented == [name for name, _ in headers_of(change())]
    for message in (change(), nudge("n"), cancelled(nudge("n"))):
        assert f"`{attributes_of(message).type}`" in PAGE


def test_settings_and_actions_are_there() -> None:
    named = {name.lower() for name in re.findall(r"HOMEROOM_RELAY_(\w+)", PAGE)}
    assert named <= RelaySettings.model_fields.keys()
    assert all(f"`{action}`" in PAGE for action in ACTIONS.values())
    assert f"holds {ROUND} records" in PAGE
