"""Sends messages through the providers of the channels: mail servers, SMS gateways, chats, webhooks.

A channel's provider is one Apprise URL. ``{address}`` in it stands for the learner's address, which is
percent-encoded on its way in; a URL without it (a chat room of the staff, a webhook of the platform that
knows its learners by their id) needs no address. Mails are sent by :mod:`notifier.mail`, everything
else by Apprise, and only if it is sent to exactly that address (:mod:`notifier.recipient_check`).

Apprise returns True or False; :mod:`notifier.answers` distinguishes a refusal from a timeout. Timeouts are
set here where the URL does not: for mail it is the *connect* timeout (``cto``), which applies to every answer
of the server, the one after the mail's last line too; for others the read timeout (``rto``).
"""

import asyncio
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any
from urllib.parse import quote

from apprise import Apprise, NotifyBase, NotifyFormat

from notifier.address_formats import mailbox_of
from notifier.answers import Answer, answer_of, answer_of_failure, collect_errors
from notifier.apprise_internals import MailFields, mail_fields, set_default_timeout, timeout_s
from notifier.errors import NotifierError
from notifier.mail import MailServer
from notifier.outgoing import NUDGE_HEADER, OutgoingMessage, in_a_line
from notifier.recipient_check import sends_only_to
from schemas.learner import Channel
from schemas.nudge import Nudge

MAX_CONCURRENT_SENDS = 8
"""Messages of one channel that are sent at the same time, a thread each."""

MAIL_TIMEOUT_S = 120.0
"""How long a mail server may take for an answer, its spam filter included. RFC 5321 (4.5.3.2.6) waits ten
minutes for the last one so that the mail is not sent twice; here it is never sent again, and a silent server
blocks a thread."""
WEB_TIMEOUT_S = 30.0

PLACEHOLDER = "{address}"
SAMPLES: Mapping[Channel, str] = {
    "email": "a@example.org",
    "sms": "+15550100000",
    "push": "a" * 30,
    "in_app": "a",
    "instructor": "a@example.org",
}
"""Addresses with which the URLs are checked at the start."""


class Providers:
    """The providers by channel, each as its Apprise URL.

    Raises:
        NotifierError: Apprise does not know a URL, or it would send a learner's mail to others.
    """

    def __init__(self, urls: Mapping[Channel, str]) -> None:
        self._urls = dict(urls)
        self._threads = {
            channel: ThreadPoolExecutor(MAX_CONCURRENT_SENDS, f"send-{channel}") for channel in self._urls
        }
        self._mail: dict[Channel, MailServer] = {}
        timeouts = [0.0]
        for channel in self._urls:
            plugin = self._plugin(channel, SAMPLES[channel])
            if plugin is None:
                raise NotifierError(f"Apprise does not know the URL of the channel {channel}")
            timeouts.append(timeout_s(plugin))
            if (fields := mail_fields(plugin)) is not None:
                self._mail[channel] = self._mail_server(channel, fields)
        self.longest_timeout_s = max(timeouts)
        """The longest timeout of a provider, in seconds."""

    @property
    def channels(self) -> frozenset[Channel]:
        return frozenset(self._urls)

    def needs_address(self, channel: Channel) -> bool:
        """Whether the channel's URL has a placeholder for an address."""
        return PLACEHOLDER in self._urls[channel]

    def accepts(self, channel: Channel, address: str) -> bool:
        """Whether a message to the address would be sent there, and nowhere else."""
        if not self.needs_address(channel):
            return True
        if channel in self._mail:
            return mailbox_of(address) is not None
        return sends_only_to(address, lambda candidate: self._plugin(channel, candidate))

    async def send(self, message: OutgoingMessage) -> Answer:
        """Send the message; returns the provider's answer. Errors of the provider are answers, too."""
        threads = self._threads[message.nudges[0].channel]
        return await asyncio.get_running_loop().run_in_executor(threads, self._send, message)

    def _send(self, message: OutgoingMessage) -> Answer:
        channel = message.nudges[0].channel
        if channel in self._mail:
            return self._mail[channel].send(message)
        plugin = self._plugin(channel, message.address)
        if plugin is None or not self.accepts(channel, message.address):
            return Answer("rejected", "it would be sent to another address")
        _add_metadata(plugin, message)
        html = message.rendered.html
        try:
            with collect_errors() as errors:
                accepted = plugin.notify(
                    body=html or message.rendered.text,
                    title=message.rendered.title,
                    body_format=NotifyFormat.HTML if html else NotifyFormat.TEXT,
                )
        except Exception as error:  # of any class: a failure of the provider's is an answer, not an end
            return answer_of_failure(error)
        return answer_of(bool(accepted), errors)

    def _plugin(self, channel: Channel, address: str) -> NotifyBase | None:
        """The channel's plugin for an address; None where Apprise rejects it."""
        url = self._urls[channel].replace(PLACEHOLDER, quote(address, safe=""))
        plugin = Apprise.instantiate(url, suppress_exceptions=True)
        if not isinstance(plugin, NotifyBase):
            return None
        set_default_timeout(plugin, MAIL_TIMEOUT_S, WEB_TIMEOUT_S)
        return plugin

    def _mail_server(self, channel: Channel, fields: MailFields) -> MailServer:
        try:
            server = MailServer.of(fields)
        except ValueError as error:
            raise NotifierError(f"the URL of the channel {channel}: {error}") from None
        if self.needs_address(channel):
            if server.to != (SAMPLES[channel],):
                raise NotifierError(
                    f"the URL of the channel {channel} names more recipients than {PLACEHOLDER}"
                )
            return replace(server, to=())  # the sample stands for the learner's address
        if channel != "instructor":
            raise NotifierError(
                f"the URL of the channel {channel} has no {PLACEHOLDER}: all mail would go to one mailbox"
            )
        return server


def _add_metadata(plugin: Any, message: OutgoingMessage) -> None:
    """Add the nudge's id and fields as headers or payload, where the kind of provider supports them."""
    nudges, kwargs = message.nudges, plugin.template_kwargs
    if "headers" in kwargs:
        plugin.headers[NUDGE_HEADER] = in_a_line(message.name)
        if nudges[0].channel == "email" and message.unsubscribe:  # RFC 8058
            plugin.headers["List-Unsubscribe"] = f"<{message.unsubscribe}>"
            plugin.headers["List-Unsubscribe-Post"] = "List-Unsubscribe=One-Click"
    if "payload" in kwargs:
        plugin.payload_extras |= {"nudge_id": message.name, "learner": nudges[0].learner}
        if len(nudges) == 1:
            plugin.payload_extras |= _fields(nudges[0])
        else:
            plugin.payload_extras |= {
                "digest": [
                    {"nudge_id": nudge.nudge_id, "text": nudge.text} | _fields(nudge) for nudge in nudges
                ]
            }


def _fields(nudge: Nudge) -> dict[str, str]:
    return {
        "course_run": nudge.course_run,
        "campaign": nudge.campaign,
        "goal": nudge.goal,
        "suggestion": nudge.suggestion or "",
    }
