"""Hands messages to the providers of the channels, with Apprise: mail servers, SMS gateways, chats, webhooks.

A channel's provider is one Apprise URL. ``{address}`` in it stands for the learner's address, which is
percent-encoded on its way in; a URL without it (a chat room of the staff, a webhook of the platform that
knows its learners by their id) needs no address.

Apprise answers yes or no, and a no may mean anything from a full mailbox to a server that is away; all are
tried again. It logs addresses and URLs with passwords, so its log is closed.
"""

import asyncio
import logging
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

from apprise import Apprise, NotifyBase, NotifyFormat

from nudges.notifier.errors import NotifierError
from nudges.notifier.rendering import Rendered
from schemas.learner import Channel
from schemas.nudge import Nudge

AT_ONCE = 8
"""Messages that are handed over at the same time, a thread each."""

PLACEHOLDER = "{address}"
SAMPLES: Mapping[Channel, str] = {
    "email": "a@example.org",
    "sms": "+15550100000",
    "push": "a" * 30,
    "in_app": "a",
    "instructor": "a@example.org",
}
"""Addresses to try the URLs with at the start."""

NUDGE_HEADER = "X-Homeroom-Nudge"
"""Carries the nudge's id with mails and webhooks, so that a receiver can tell a repeat."""

logging.getLogger("apprise").setLevel(logging.CRITICAL + 1)


@dataclass(frozen=True, slots=True)
class Outgoing:
    """One message, ready to go. ``unsubscribe`` is the link of its header, where there is one."""

    nudge: Nudge
    address: str = field(repr=False)
    words: Rendered
    unsubscribe: str = field(default="", repr=False)


class Providers:
    """The providers by channel, each as its Apprise URL.

    Raises ``NotifierError`` for a URL that Apprise does not know; the URL is not in the message.
    """

    def __init__(self, urls: Mapping[Channel, str]) -> None:
        self._urls = dict(urls)
        self._threads = ThreadPoolExecutor(AT_ONCE, "send")
        for channel in self._urls:
            self._plugin(channel, SAMPLES[channel])

    @property
    def channels(self) -> frozenset[Channel]:
        return frozenset(self._urls)

    def needs_address(self, channel: Channel) -> bool:
        """Whether the channel's URL has a place for one."""
        return PLACEHOLDER in self._urls[channel]

    async def send(self, message: Outgoing) -> bool:
        """Whether the provider took the message."""
        return await asyncio.get_running_loop().run_in_executor(self._threads, self._send, message)

    def _send(self, message: Outgoing) -> bool:
        plugin = self._plugin(message.nudge.channel, message.address)
        _describe(plugin, message)
        html = message.words.html
        taken = plugin.notify(
            body=html or message.words.text,
            title=message.words.title,
            body_format=NotifyFormat.HTML if html else NotifyFormat.TEXT,
        )
        return bool(taken)

    def _plugin(self, channel: Channel, address: str) -> NotifyBase:
        url = self._urls[channel].replace(PLACEHOLDER, quote(address, safe=""))
        plugin = Apprise.instantiate(url, suppress_exceptions=True)
        if not isinstance(plugin, NotifyBase):
            raise NotifierError(f"Apprise does not know the URL of the channel {channel}")
        return plugin


def _describe(plugin: Any, message: Outgoing) -> None:
    """Say in headers and fields what the words do not say, where the kind of provider carries such."""
    nudge, carries = message.nudge, plugin.template_kwargs
    if "headers" in carries:
        plugin.headers[NUDGE_HEADER] = nudge.nudge_id
        if nudge.channel == "email" and message.unsubscribe:  # RFC 8058
            plugin.headers["List-Unsubscribe"] = f"<{message.unsubscribe}>"
            plugin.headers["List-Unsubscribe-Post"] = "List-Unsubscribe=One-Click"
    if "payload" in carries:
        plugin.payload_extras |= {
            "nudge_id": nudge.nudge_id,
            "learner": nudge.learner,
            "course_run": nudge.course_run,
            "campaign": nudge.campaign,
            "goal": nudge.goal,
            "suggestion": nudge.suggestion or "",
        }
