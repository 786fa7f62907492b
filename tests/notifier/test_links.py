"""Links say what was signed and nothing else."""

from base64 import urlsafe_b64decode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from notifier.links import LinkError, Links
from tests.notifier.nudging import nudge

LINKS = Links("https://nudges.example.org/", "0123456789abcdef")


def test_a_link_says_who_what_and_where_to() -> None:
    link = LINKS.link(nudge("n1", learner="ünïcode/../x?"), "clicked", "https://lms.example.org/a b")
    base, kind, token = link.rsplit("/", 2)
    assert (base, kind) == ("https://nudges.example.org", "clicked")
    assert LINKS.read(token) == {
        "kind": "clicked",
        "learner": "ünïcode/../x?",
        "nudge_id": "n1",
        "channel": "email",
        "to": "https://lms.example.org/a b",
    }


@given(st.data())
def test_a_token_of_which_any_bit_is_changed_is_refused(data: st.DataObject) -> None:
    token = LINKS.token(nudge("n1"), "unsubscribed")
    index = data.draw(st.integers(0, len(token) - 1))
    other = data.draw(st.sampled_from("ABCXYZabcxyz0189-_"))
    changed = token[:index] + other + token[index + 1 :]
    if _raw(changed) != _raw(token):  # the last character has bits that mean nothing
        with pytest.raises(LinkError):
            LINKS.read(changed)


@pytest.mark.parametrize("token", ["", "a", "aaaa", "é", "%00", "a" * 5000])
def test_what_is_no_token_is_refused(token: str) -> None:
    with pytest.raises(LinkError):
        LINKS.read(token)


def test_another_key_makes_other_links_and_a_short_one_none() -> None:
    token = Links("https://a.example", "another key of 16").token(nudge("n1"), "opened")
    with pytest.raises(LinkError, match="not ours"):
        LINKS.read(token)
    with pytest.raises(ValueError, match="15 characters; expected at least 16"):
        Links("https://a.example", "0" * 15)


def _raw(token: str) -> bytes:
    return urlsafe_b64decode(token + "=" * (-len(token) % 4))
