"""What goes by Apprise goes to exactly the address that is meant, for every kind of provider."""

import pytest
from apprise import Apprise, NotifyBase
from hypothesis import given, settings
from hypothesis import strategies as st

from notifier.outgoing import OutgoingMessage
from notifier.providers import Providers
from notifier.rendering import Rendered
from schemas.learner import Channel
from tests.notifier.nudging import nudge

TWILIO = "twilio://AC" + "a" * 32 + ":" + "b" * 32 + "@15550100000/{address}"
URLS: dict[str, tuple[Channel, str]] = {
    "twilio": ("sms", TWILIO),
    "vonage": ("sms", "vonage://" + "a" * 8 + ":" + "b" * 16 + "@15550100000/{address}"),
    "sns": ("sms", "sns://A" + "H" * 19 + "/" + "x" * 40 + "/us-east-1/{address}"),
    "sinch": ("sms", "sinch://" + "a" * 32 + ":" + "b" * 32 + "@15550100000/{address}"),
    "clicksend": ("sms", "clicksend://user:pass@{address}"),
    "signal": ("sms", "signal://localhost:8080/+15550100000/{address}"),
    "pushover": ("push", "pover://" + "u" * 30 + "@" + "a" * 30 + "/{address}"),
    "ntfy": ("push", "ntfy://localhost/{address}"),
    "telegram": ("push", "tgram://123456789:abcdefg_hijklmnop/{address}"),
    "slack": ("in_app", "slack://T1JJ3T3L2/A1BRTD4JD/TIiajkdnlazkcOXrIdevi7FQ/{address}"),
    "matrix": ("in_app", "matrix://user:pass@localhost/{address}"),
    "json": ("in_app", "json://127.0.0.1/inbox/{address}"),
    "json, in a field": ("in_app", "json://127.0.0.1/inbox?:to={address}"),
    "sendgrid": ("email", "sendgrid://abcd12345:me@example.org/{address}"),
    "mailgun": (
        "email",
        "mailgun://me@example.org/" + "a" * 32 + "-" + "b" * 8 + "-" + "c" * 8 + "/{address}",
    ),
}
PROVIDERS = {name: Providers({channel: url}) for name, (channel, url) in URLS.items()}


def takes(name: str, address: str) -> bool:
    return PROVIDERS[name].accepts(URLS[name][0], address)


@pytest.mark.parametrize("name", [name for name, (channel, _) in URLS.items() if channel == "sms"])
def test_a_telephone_number_is_taken_with_its_plus_or_without(name: str) -> None:
    assert takes(name, "+4917012345678")
    assert takes(name, "15550100000"), "the sender's own number"


@pytest.mark.parametrize("name", [name for name, (channel, _) in URLS.items() if channel == "email"])
def test_mail_services_are_given_no_address_that_apprise_cuts(name: str) -> None:
    assert takes(name, "ann+math@example.org")
    assert takes(name, "ann@xn--mnchen-3ya.example")
    for cut in ("o'brien@good.org", '"a b"@example.org', "jörg@example.org"):
        assert not takes(name, cut)


def test_a_number_that_is_left_out_is_not_sent_to_the_sender_instead() -> None:
    """Twilio's plugin takes the sender for the recipient, where it knows no other."""
    assert not takes("twilio", "12345")
    assert not takes("twilio", "")


@pytest.mark.parametrize("name", URLS)
def test_several_are_not_taken_for_one(name: str) -> None:
    if name == "json, in a field":
        assert takes(name, "a,b"), "the receiver gets it as it is"
        return
    for several in ("alice1234,bobby1234", "+4917012345678,+4917012345679", "alice1234 bobby1234"):
        assert not takes(name, several)


LIKE_ADDRESSES = st.text("abcXYZ0189'\"@.,;:/#+-_%&=? ", min_size=1, max_size=24)


@settings(max_examples=100, deadline=None)
@given(st.sampled_from(sorted(URLS)), LIKE_ADDRESSES)
def test_what_is_taken_is_among_the_targets_whole(name: str, address: str) -> None:
    """Judged by another measure than the code's: the list of targets that Apprise's plugins keep."""
    if not takes(name, address):
        return
    plugin = Apprise.instantiate(URLS[name][1].replace("{address}", percent(address)))
    held = [value for value in vars(plugin).values() if isinstance(value, list | set | tuple) and value]
    listed = [str(target) for values in held for target in values]
    if listed:
        assert any(address.removeprefix("+") in target for target in listed)
        assert isinstance(plugin, NotifyBase)
        assert len(plugin) == 1


def percent(address: str) -> str:
    return "".join(f"%{byte:02X}" for byte in address.encode())


async def test_what_would_go_to_somebody_else_is_not_sent() -> None:
    """No net is needed to know it; with the sender in its place, Twilio was asked."""
    due = nudge("n", channel="sms")
    for address in ("", "12345"):
        answer = await PROVIDERS["twilio"].send(
            OutgoingMessage("n", (due,), address, Rendered("", "text", ""))
        )
        assert (answer.kind, answer.reason) == ("rejected", "it would be sent to another address")
