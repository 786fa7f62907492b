"""Hands messages to the providers of the channels, with Apprise: mail servers, SMS gateways, chats, webhooks.

A channel's provider is one Apprise URL. ``{address}`` in it stands for the learner's address, which is
percent-encoded on its way in; a URL without it (a chat room of the staff, a webhook of the platform that
knows its learners by their id) needs no address.

Apprise answers yes or no; :mod:`nudges.notifier.answers` tells a refusal from a silence. How long a silence
may last is set here where the URL does not: for mail Apprise uses its *connect* timeout (``cto``) for every
answer of the server, the one after the mail's last line too, and waits 15 seconds; for others 4 (``rto``).
"""

import asyncio
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

from apprise import Apprise, NotifyBase, NotifyFormat
from apprise.plugins.email import NotifyEmail

from nudges.notifier.answers import Answer, answer_of, listening
from nudges.notifier.errors import NotifierError
from nudges.notifier.plain import plain_part
from nudges.notifier.rendering import Rendered
from schemas.learner import Channel
from schemas.nudge import Nudge

AT_ONCE = 8
"""Messages of one channel that are handed over at the same time, a thread each."""

MAIL_SILENT_S = 120.0
"""How long a mail server may take for an answer, its spam filter included. RFC 5321 (4.5.3.2.6) would wait
ten minutes for the last one, lest the mail be sent twice; here it is not, and silence holds a thread."""
WEB_SILENT_S = 30.0

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


@dataclass(frozen=True, slots=True)
class Outgoing:
    """One message, ready to go: of a nudge, or of a digest's, by whose name a receiver knows it again.
    ``unsubscribe`` is the link of its header, where there is one."""

    name: str
    nudges: tuple[Nudge, ...]
    address: str = field(repr=False)
    words: Rendered
    unsubscribe: str = field(default="", repr=False)


class Providers:
    """The providers by channel, each as its Apprise URL.

    Raises ``NotifierError`` for a URL that Apprise does not know; the URL is not in the message.
    """

    def __init__(self, urls: Mapping[Channel, str]) -> None:
        self._urls = dict(urls)
        self._threads = {channel: ThreadPoolExecutor(AT_ONCE, f"send-{channel}") for channel in self._urls}
        plugins = [self._plugin(channel, SAMPLES[channel]) for channel in self._urls]
        self.longest_s = max(map(_silence, plugins), default=0.0)
        """The longest silence of a provider that is waited for."""

    @property
    def channels(self) -> frozenset[Channel]:
        return frozenset(self._urls)

    def needs_address(self, channel: Channel) -> bool:
        """Whether the channel's URL has a place for one."""
        return PLACEHOLDER in self._urls[channel]

    async def send(self, message: Outgoing) -> Answer:
        """Hand the message over, and say what the provider answered."""
        threads = self._threads[message.nudges[0].channel]
        return await asyncio.get_running_loop().run_in_executor(threads, self._send, message)

    def _send(self, message: Outgoing) -> Answer:
        try:
            plugin = self._plugin(message.nudges[0].channel, message.address)
        except NotifierError:  # the URL is good, so it is this address that Apprise will not have
            return "refused"
        _describe(plugin, message)
        html = message.words.html
        with plain_part(message.words.text), listening() as errors:
            taken = plugin.notify(
                body=html or message.words.text,
                title=message.words.title,
                body_format=NotifyFormat.HTML if html else NotifyFormat.TEXT,
            )
        return answer_of(bool(taken), errors)

    def _plugin(self, channel: Channel, address: str) -> NotifyBase:
        url = self._urls[channel].replace(PLACEHOLDER, quote(address, safe=""))
        plugin = Apprise.instantiate(url, suppress_exceptions=True)
        if not isinstance(plugin, NotifyBase):
            raise NotifierError(f"Apprise does not know the URL of the channel {channel}")
        given = vars(plugin)  # what the URL says; Apprise's own defaults are the class's
        if isinstance(plugin, NotifyEmail):
            given.setdefault("socket_connect_timeout", MAIL_SILENT_S)
        else:
            given.setdefault("socket_read_timeout", WEB_SILENT_S)
        return plugin


def _silence(plugin: NotifyBase) -> float:
    connect, read = plugin.request_timeout
    return float(connect if isinstance(plugin, NotifyEmail) else connect + read)


def _describe(plugin: Any, message: Outgoing) -> None:
    """Say in headers and fields what the words do not say, where the kind of provider carries such."""
    nudges, carries = message.nudges, plugin.template_kwargs
    if "headers" in carries:
        plugin.headers[NUDGE_HEADER] = message.name
        if nudges[0].channel == "email" and message.unsubscribe:  # RFC 8058
            plugin.headers["List-Unsubscribe"] = f"<{message.unsubscribe}>"
            plugin.headers["List-Unsubscribe-Post"] = "List-Unsubscribe=One-Click"
    if "payload" in carries:
        plugin.payload_extras |= {"nudge_id": message.name, "learner": nudges[0].learner}
        if len(nudges) == 1:
            plugin.payload_extras |= _fields(nudges[0])
        else:
            plugin.payload_extras |= {
                "digest": [{"nudge_id": one.nudge_id, "text": one.text} | _fields(one) for one in nudges]
            }


def _fields(nudge: Nudge) -> dict[str, str]:
    return {
        "course_run": nudge.course_run,
        "campaign": nudge.campaign,
        "goal": nudge.goal,
        "suggestion": nudge.suggestion or "",
    }
