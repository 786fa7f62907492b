"""Mails go to exactly the one address that is meant, or to nobody: shown on a real mail server."""

import asyncio
import json
from collections.abc import Iterator
from email import message_from_string, policy
from email.headerregistry import Address
from email.message import EmailMessage
from pathlib import Path

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from local.brokers import free_port
from notifier.addresses import FileBook, contact_of
from notifier.composing import Composer, Unsendable
from notifier.errors import NotifierError
from notifier.links import Links
from notifier.outgoing import OutgoingMessage, in_a_line
from notifier.providers import Providers
from notifier.rendering import Rendered, Templates
from tests.notifier.nudging import nudge

LINKS = Links("https://nudges.example.org", "0123456789abcdef")


class Box:
    """Keeps each mail with the recipients that the server was told."""

    def __init__(self) -> None:
        self.taken: list[tuple[list[str], EmailMessage]] = []

    async def handle_DATA(self, _: SMTP, __: Session, envelope: Envelope) -> str:  # noqa: N802
        content = (envelope.original_content or b"").decode("utf-8")
        mail = message_from_string(content, policy=policy.default.clone(utf8=True))
        assert isinstance(mail, EmailMessage)
        self.taken.append((envelope.rcpt_tos, mail))
        return "250 taken"


@pytest.fixture(scope="module")
def server() -> Iterator[tuple[Box, Providers]]:
    """A mail server that takes everything, addresses beyond ASCII too, and the provider that leads to it."""
    box = Box()
    smtp = Controller(box, hostname="127.0.0.1", port=free_port(), enable_SMTPUTF8=True)
    smtp.start()
    try:
        url = f"mailto://127.0.0.1:{smtp.port}?from=nudges@example.org&name=Nudges&to={{address}}"
        yield box, Providers({"email": url})
    finally:
        smtp.stop()


def sent_to(server: tuple[Box, Providers], given: str, words: Rendered | None = None) -> list[str] | None:
    """Who gets the mail for an address that a book gives; None where it is not sent."""
    box, providers = server
    address = contact_of({"email": given}).addresses.get("email")
    if address is None:
        return None
    before = len(box.taken)
    message = OutgoingMessage("n", (nudge("n"),), address, words or Rendered("title", "text", "<p>text</p>"))
    answer = asyncio.run(providers.send(message))
    assert answer.kind == "taken", answer
    ((recipients, mail),) = box.taken[before:]
    assert [address.addr_spec for address in mail["To"].addresses] == recipients
    return recipients


@pytest.mark.parametrize(
    ("given", "meant"),
    [
        ("o'brien@good.org", "o'brien@good.org"),
        ("'ann'@good.org", "'ann'@good.org"),
        ("ann+math@example.org", "ann+math@example.org"),
        ("+@example.org", "+@example.org"),
        ("!#$%&'*+/=?^_`{|}~-@example.org", "!#$%&'*+/=?^_`{|}~-@example.org"),
        ("%41nn@example.org", "%41nn@example.org"),
        ("-f@example.org", "-f@example.org"),
        ('"ann b"@example.org', '"ann b"@example.org'),
        ('"a,b"@example.org', '"a,b"@example.org'),
        ('"a\\"b@c"@example.org', '"a\\"b@c"@example.org'),
        ('"ann"@example.org', "ann@example.org"),  # the same mailbox (RFC 5321, 4.1.2)
        ("ann@münchen.example", "ann@xn--mnchen-3ya.example"),
        ("ann@xn--mnchen-3ya.example", "ann@xn--mnchen-3ya.example"),
        ("jörg@example.org", "jörg@example.org"),
        ("ann@campus.local", "ann@campus.local"),
        (" ann@example.org ", "ann@example.org"),
        ("Ann <ann@example.org>", None),
        ("ann@example.org (Ann)", None),
        ("<ann@example.org>", None),
        ("mailto:ann@example.org", None),
        ("ann@example.org,bob@example.org", None),
        ("ann@example.org;bob@example.org", None),
        ("ann@example.org bob@example.org", None),
        ("ann@example.org\r\nRCPT TO:<bob@example.org>", None),
        ("ann@example.org>\nDATA", None),
        ("@relay.example:ann@example.org", None),
        ("ann@@example.org", None),
        ("ann.example.org", None),
        ("o’brien @good.org", None),
    ],
)
def test_the_server_is_told_exactly_the_address_that_is_meant(
    server: tuple[Box, Providers], given: str, meant: str | None
) -> None:
    assert sent_to(server, given) == (None if meant is None else [meant])


ATOM = st.text("abcXYZ019!#$%&'*+/=?^_`{|}~-", min_size=1, max_size=8)
DOT_ATOM = st.lists(ATOM, min_size=1, max_size=3).map(".".join)
QUOTED = st.text("ab \"\\,;:<>@()[].'+%\r\nü", min_size=1, max_size=8).map(
    lambda text: '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
)
LABEL = st.text("abz019üßñ中", min_size=1, max_size=6)
DOMAIN = st.lists(LABEL, min_size=1, max_size=2).map(lambda labels: ".".join([*labels, "example"]))
PROPER = st.tuples(DOT_ATOM | QUOTED, DOMAIN).map("@".join)
ANYTHING = st.text("ab'\"@.,;:<>() +%\\\r\n\0ü€", max_size=20) | st.text(max_size=20)


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(PROPER | ANYTHING | st.tuples(ANYTHING, PROPER, ANYTHING).map("".join))
@example("o'brien@good.org")
@example("a@x.example,b@x.example")
def test_whatever_a_book_gives_the_one_recipient_is_the_meant_one_or_there_is_none(
    server: tuple[Box, Providers], given: str
) -> None:
    recipients = sent_to(server, given)
    if recipients is None:
        return
    assert len(recipients) == 1
    local, _, domain = recipients[0].rpartition("@")
    meant_local, _, meant_domain = given.strip().rpartition("@")
    assert unquoted(local) == unquoted(meant_local)
    assert domain.isascii()
    if meant_domain.isascii():
        assert domain == meant_domain.lower()


def unquoted(local: str) -> str:
    """What a local part says, quoted or not, composed as Unicode would have it."""
    from unicodedata import normalize

    if local.startswith('"') and local.endswith('"') and len(local) > 1:
        inner, unescaped, escaped = local[1:-1], "", False
        for character in inner:
            if character == "\\" and not escaped:
                escaped = True
            else:
                unescaped, escaped = unescaped + character, False
        local = unescaped
    return normalize("NFC", local)


HOSTILE = st.text(max_size=60) | st.sampled_from(
    ["\r\nBcc: eve@example.org", "\r\n.\r\nRCPT TO:<eve@example.org>", "€" * 128, ".", "\n.\n", "\0", ""]
)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(HOSTILE, HOSTILE, HOSTILE, HOSTILE)
def test_no_words_make_a_header_a_recipient_or_an_end(
    server: tuple[Box, Providers], name: str, title: str, text: str, html: str
) -> None:
    box, providers = server
    before = len(box.taken)
    due = nudge("n").model_copy(update={"nudge_id": name})
    unsubscribe = LINKS.link(due, "unsubscribed")
    message = OutgoingMessage(name, (due,), "ann@example.org", Rendered(title, text, html), unsubscribe)
    assert asyncio.run(providers.send(message)).kind == "taken"
    ((recipients, mail),) = box.taken[before:]
    assert recipients == ["ann@example.org"]
    assert set(mail.keys()) <= {
        *("From", "To", "Subject", "Date", "Message-ID", "X-Homeroom-Nudge", "MIME-Version"),
        *("List-Unsubscribe", "List-Unsubscribe-Post", "Content-Type", "Content-Transfer-Encoding"),
    }
    assert mail["X-Homeroom-Nudge"] == in_a_line(name)
    assert mail.get("List-Unsubscribe", f"<{unsubscribe}>") == f"<{unsubscribe}>"


@pytest.mark.parametrize(
    ("given", "meant"),
    [
        ("tutor@example.org", "tutor@example.org"),
        ("tutor@münchen.example", "tutor@xn--mnchen-3ya.example"),
        ("#tutors", None),
        ("a@example.org>,<b@example.org", None),
        ("a@example.org,b@example.org", None),
    ],
)
async def test_an_instructor_s_mail_address_is_read_as_one_too(
    server: tuple[Box, Providers], given: str, meant: str | None
) -> None:
    """Its channel may lead to a chat, so the book alone does not know that it must be a mail address."""
    box, providers = server
    staff = Providers({"instructor": providers._urls["email"]})
    address = contact_of({"instructor": given}).addresses["instructor"]
    before, due = len(box.taken), nudge("n", channel="instructor")
    answer = await staff.send(OutgoingMessage("n", (due,), address, Rendered("title", "text", "")))
    assert staff.accepts("instructor", address) == (answer.kind == "taken") == (meant is not None)
    assert [recipients for recipients, _ in box.taken[before:]] == ([[meant]] if meant else [])


def test_without_an_address_nobody_gets_it(server: tuple[Box, Providers]) -> None:
    """Not even the address that the URL was tried with at the start."""
    box, providers = server
    before = len(box.taken)
    answer = asyncio.run(
        providers.send(OutgoingMessage("n", (nudge("n"),), "", Rendered("title", "text", "")))
    )
    assert (answer.kind, box.taken[before:]) == ("rejected", [])


def test_headers_are_those_of_the_url_and_of_the_message(server: tuple[Box, Providers]) -> None:
    sent_to(server, "ann@example.org", Rendered("Größe " * 18, "text", ""))
    mail = server[0].taken[-1][1]
    assert mail["From"].addresses == (Address("Nudges", "nudges", "example.org"),)
    assert mail["Subject"] == ("Größe " * 18).strip()
    assert mail.get_content_type() == "text/plain"


def test_what_is_no_address_makes_a_dead_letter_that_says_so(tmp_path: Path) -> None:
    book = {"ann": {"email": "Ann <ann@example.org>"}, "bob": {"email": ""}}
    (tmp_path / "book.json").write_text(json.dumps(book), encoding="utf-8")
    providers = Providers({"email": "mailto://127.0.0.1?from=a@example.org&to={address}"})
    composer = Composer(providers, FileBook(tmp_path / "book.json"), Templates(), LINKS)
    reasons = {}
    for learner in ("ann", "bob", "eve"):
        result = asyncio.run(composer.compose([nudge("n", learner=learner)]))
        assert isinstance(result, Unsendable)
        assert "example.org>" not in result.detail, "addresses are in no topic"
        reasons[learner] = result.reason
    assert reasons == {"ann": "bad_address", "bob": "no_address", "eve": "no_address"}


@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("mailto://127.0.0.1?from=a@example.org", "has no {address}"),
        ("mailto://127.0.0.1?from=a@example.org&to=b@example.org", "has no {address}"),
        ("mailto://127.0.0.1?from=a@example.org&to={address},b@example.org", "more recipients"),
        ("mailto://127.0.0.1?from=a@example.org&to={address}&cc=b@example.org", "cc, bcc and pgp"),
        ("mailto://127.0.0.1?from=a@example.org&to={address}&bcc=b@example.org", "cc, bcc and pgp"),
        ("mailto://u:w%C3%B6rd@127.0.0.1?from=a@example.org&to={address}", "in ASCII"),
    ],
)
def test_a_url_that_cannot_send_a_learner_s_mail_to_the_learner_alone_is_refused_at_the_start(
    url: str, told: str
) -> None:
    with pytest.raises(NotifierError, match=told):
        Providers({"email": url})
