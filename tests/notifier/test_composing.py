"""Messages of nudges: where their links lead, and what cannot be composed."""

from pathlib import Path

from notifier.addresses import FileBook
from notifier.composing import Composer, Unsendable
from notifier.links import Links
from notifier.outgoing import OutgoingMessage
from notifier.providers import Providers
from notifier.rendering import Templates
from schemas.nudge import Nudge
from tests.notifier.nudging import nudge

LINKS = Links("https://nudges.example.org", "0123456789abcdef")


def composer(folder: Path, go_to: str = "", go_to_item: str = "") -> Composer:
    (folder / "book.csv").write_text(
        "learner,email\nann,ann@example.org\nbob,Bob <bob@example.org>\n", encoding="utf-8"
    )
    providers = Providers({"email": "mailto://127.0.0.1?from=a@example.org&to={address}"})
    return Composer(providers, FileBook(folder / "book.csv"), Templates(), LINKS, go_to, go_to_item)


async def leads_to(due: Nudge, made: Composer) -> str:
    """Where the link to go on in a message leads."""
    message = await made.compose([due])
    assert isinstance(message, OutgoingMessage)
    token = message.rendered.text.split("/clicked/")[1].split()[0]
    return LINKS.read(token)["to"]


async def test_the_link_leads_to_the_suggested_item_where_there_is_one(tmp_path: Path) -> None:
    course, item = "https://lms.example.org/{course_run}", "https://lms.example.org/{course_run}/{object}"
    both = composer(tmp_path, go_to=course, go_to_item=item)
    suggested = nudge("n", suggestion="quiz/4 ?")
    assert await leads_to(suggested, both) == "https://lms.example.org/BBB%2F2014B/quiz%2F4%20%3F"
    assert await leads_to(nudge("n"), both) == "https://lms.example.org/BBB%2F2014B"
    assert (
        await leads_to(suggested, composer(tmp_path, go_to=course)) == "https://lms.example.org/BBB%2F2014B"
    )


async def test_what_cannot_be_sent_is_told_with_its_reason(tmp_path: Path) -> None:
    made = composer(tmp_path)
    assert await made.compose([nudge("n", channel="sms")]) == Unsendable(
        "no_channel", "no provider is set for the channel sms"
    )
    result = await made.compose([nudge("n", learner="nobody")])
    assert isinstance(result, Unsendable)
    assert result.reason == "no_address"
    result = await made.compose([nudge("n", learner="bob")])
    assert isinstance(result, Unsendable)
    assert result.reason == "bad_address"
    assert result.detail.startswith(
        "the address book's email of the learner is not one mail address such as "
    )
    message = await made.compose([nudge("n")])
    assert isinstance(message, OutgoingMessage)
    assert "ann@" not in repr(message)
    assert "/clicked/" not in message.rendered.text
