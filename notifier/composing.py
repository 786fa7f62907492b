"""Composes the message of nudges: the channel's provider, the learner's address, links, text."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal
from urllib.parse import quote

from notifier.address_formats import EXPECTED
from notifier.addresses import AddressBook, Contact
from notifier.links import Links, Purpose
from notifier.outgoing import OutgoingMessage
from notifier.providers import Providers
from notifier.rendering import TemplateFailedError, Templates
from schemas.learner import Channel
from schemas.nudge import Nudge

NO_CONTACT = Contact({})

UndeliveredReason = Literal[
    "no_channel",
    "no_address",
    "bad_address",
    "undeliverable",
    "rejected",
    "unanswered",
    "in_doubt",
    "failed",
]
"""Why a nudge becomes a dead letter; the same names as in ``schemas.dead_letter``."""


@dataclass(frozen=True, slots=True)
class Unsendable:
    """The reason why a message cannot be composed; trying again does not help."""

    reason: UndeliveredReason
    detail: str


@dataclass(frozen=True, slots=True)
class Composer:
    """Composes messages.

    ``go_to`` is the URL at which a learner should continue, with ``{course_run}`` in it, or empty;
    ``go_to_item`` the same for a nudge that suggests an item, with ``{object}`` in it too. ``track_opens``
    puts a tracking pixel into mails.
    """

    providers: Providers
    addresses: AddressBook
    templates: Templates
    links: Links | None = field(repr=False)
    go_to: str = ""
    go_to_item: str = ""
    track_opens: bool = False

    async def compose(self, nudges: Sequence[Nudge], name: str = "") -> OutgoingMessage | Unsendable:
        """The message of a nudge, or of a digest's nudges; or why there is none. ``name``: the digest's.

        Raises:
            AddressBookError: the address book does not answer.
        """
        first = nudges[0]
        if first.channel not in self.providers.channels:
            return Unsendable("no_channel", f"no provider is set for the channel {first.channel}")
        contact = await self.addresses.find(first.learner) or NO_CONTACT
        address = ""
        if self.providers.needs_address(first.channel):
            address = contact.addresses.get(first.channel, "")
            if unsendable := self._unsendable(first.channel, contact):
                return unsendable
        links = [self._links(nudge) for nudge in nudges]
        try:
            words = self.templates.render(nudges, contact, links)
        except TemplateFailedError as error:
            return Unsendable("failed", str(error))
        unsubscribe = links[0].get("unsubscribed", "")
        return OutgoingMessage(name or first.nudge_id, tuple(nudges), address, words, unsubscribe)

    def _unsendable(self, channel: Channel, contact: Contact) -> Unsendable | None:
        """Why nothing can be sent to a contact; None where it can."""
        if channel in contact.unusable:
            return Unsendable(
                "bad_address", f"the address book's {channel} of the learner is not {EXPECTED[channel]}"
            )
        address = contact.addresses.get(channel)
        if address is None:
            return Unsendable("no_address", f"the address book has no {channel} of the learner")
        if not self.providers.accepts(channel, address):
            return Unsendable(
                "bad_address",
                f"the provider would not write to exactly what the book has as {channel}",
            )
        return None

    def _links(self, nudge: Nudge) -> dict[Purpose, str]:
        if self.links is None or nudge.channel == "instructor":
            return {}
        links: dict[Purpose, str] = {
            kind: self.links.link(nudge, kind) for kind in ("unsubscribed", "dismissed")
        }
        if target := self._target_url(nudge):
            links["clicked"] = self.links.link(nudge, "clicked", target)
        if self.track_opens and nudge.channel == "email":
            links["opened"] = self.links.link(nudge, "opened")
        return links

    def _target_url(self, nudge: Nudge) -> str:
        address = self.go_to_item if nudge.suggestion and self.go_to_item else self.go_to
        values = {"{course_run}": nudge.course_run, "{object}": nudge.suggestion or ""}
        for name, value in values.items():
            address = address.replace(name, quote(value, safe=""))
        return address
