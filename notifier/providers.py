"""Hands messages to the providers of the channels: mail servers, SMS gateways, chats, webhooks.

A channel's provider is one Apprise URL. ``{address}`` in it stands for the learner's address, which is
percent-encoded on its way in; a URL without it (a chat room of the staff, a webhook of the platform that
knows its learners by their id) needs no address. Mails are sent by :mod:`notifier.mail`, everything
else by Apprise, and only where it goes to exactly the address that is meant (:mod:`notifier.meant`).

Apprise answers yes or no; :mod:`notifier.answers` tells a refusal from a silence. How long a silence
may last is set here where the URL does not: for mail it is the *connect* timeout (``cto``), which holds for
every answer of the server, the one after the mail's last line too; for others the read timeout (``rto``).
"""

import asyncio
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any
from urllib.parse import quote

from apprise import Apprise, NotifyBase, NotifyFormat
from apprise.plugins.email import NotifyEmail

from notifier.answers import Answer, answer_of, answer_of_failure, listening
from notifier.errors import NotifierError
from notifier.forms import mailbox_of
from notifier.mail import MailServer
from notifier.meant import goes_to
from notifier.outgoing import NUDGE_HEADER, Outgoing, in_a_line
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


class Providers:
    """The providers by channel, each as its Apprise URL.

    Raises ``NotifierError`` for a URL that Apprise does not know, or that would send a learner's mail to
    somebody else; the URL is not in the message.
    """

    def __init__(self, urls: Mapping[Channel, str]) -> None:
        self._urls = dict(urls)
        self._threads = {channel: ThreadPoolExecutor(AT_ONCE, f"send-{channel}") for channel in self._urls}
        self._mail: dict[Channel, MailServer] = {}
        silences = [0.0]
        for channel in self._urls:
            plugin = self._plugin(channel, SAMPLES[channel])
            if plugin is None:
                raise NotifierError(f"Apprise does not know the URL of the channel {channel}")
            silences.append(_silence(plugin))
            if type(plugin) is NotifyEmail:
                self._mail[channel] = self._mail_server(channel, plugin)
        self.longest_s = max(silences)
        """The longest silence of a provider that is waited for."""

    @property
    def channels(self) -> frozenset[Channel]:
        return frozenset(self._urls)

    def needs_address(self, channel: Channel) -> bool:
        """Whether the channel's URL has a place for one."""
        return PLACEHOLDER in self._urls[channel]

    def takes(self, channel: Channel, address: str) -> bool:
        """Whether a message to the address would go there, and nowhere else."""
        if not self.needs_address(channel):
            return True
        if channel in self._mail:
            return mailbox_of(address) is not None
        return goes_to(address, lambda one: self._plugin(channel, one))

    async def send(self, message: Outgoing) -> Answer:
        """Hand the message over, and say what the provider answered. Raises nothing that a provider does."""
        threads = self._threads[message.nudges[0].channel]
        return await asyncio.get_running_loop().run_in_executor(threads, self._send, message)

    def _send(self, message: Outgoing) -> Answer:
        channel = message.nudges[0].channel
        if channel in self._mail:
            return self._mail[channel].send(message)
        plugin = self._plugin(channel, message.address)
        if plugin is None or not self.takes(channel, message.address):
            return Answer("rejected", "it would be sent to another address")
        _describe(plugin, message)
        html = message.words.html
        try:
            with listening() as errors:
                taken = plugin.notify(
                    body=html or message.words.text,
                    title=message.words.title,
                    body_format=NotifyFormat.HTML if html else NotifyFormat.TEXT,
                )
        except Exception as error:  # of any class: a failure of the provider's is an answer, not an end
            return answer_of_failure(error)
        return answer_of(bool(taken), errors)

    def _plugin(self, channel: Channel, address: str) -> NotifyBase | None:
        """The channel's plugin for an address; None where Apprise will not have it."""
        url = self._urls[channel].replace(PLACEHOLDER, quote(address, safe=""))
        plugin = Apprise.instantiate(url, suppress_exceptions=True)
        if not isinstance(plugin, NotifyBase):
            return None
        given = vars(plugin)  # what the URL says; Apprise's own defaults are the class's
        if isinstance(plugin, NotifyEmail):
            given.setdefault("socket_connect_timeout", MAIL_SILENT_S)
        else:
            given.setdefault("socket_read_timeout", WEB_SILENT_S)
        return plugin

    def _mail_server(self, channel: Channel, plugin: NotifyEmail) -> MailServer:
        try:
            server = MailServer.of(plugin)
        except ValueError as error:
            raise NotifierError(f"the URL of the channel {channel}: {error}") from None
        if self.needs_address(channel):
            if server.to != (SAMPLES[channel],):
                raise NotifierError(
                    f"the URL of the channel {channel} names more recipients than {PLACEHOLDER}"
                )
            return replace(server, to=())  # the sample's place is the learner's, and nobody's without one
        if channel != "instructor":
            raise NotifierError(
                f"the URL of the channel {channel} has no {PLACEHOLDER}: all mail would go to one mailbox"
            )
        return server


def _silence(plugin: NotifyBase) -> float:
    connect, read = plugin.request_timeout
    return float(connect if isinstance(plugin, NotifyEmail) else connect + read)


def _describe(plugin: Any, message: Outgoing) -> None:
    """Say in headers and fields what the words do not say, where the kind of provider carries such."""
    nudges, carries = message.nudges, plugin.template_kwargs
    if "headers" in carries:
        plugin.headers[NUDGE_HEADER] = in_a_line(message.name)
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
