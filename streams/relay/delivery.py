"""Posts a message until the endpoint has taken it, or has refused it often enough."""

import asyncio
import logging
import random
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Literal

from aiohttp import ClientError, ClientSession, ClientTimeout

from schemas.cloud_event import OutMessage
from schemas.errors import HomeroomError
from streams.relay.forms import Forms
from streams.relay.metrics import RelayMetrics
from streams.relay.settings import Form, RelaySettings

log = logging.getLogger(__name__)

FIRST_WAIT_S = 0.5
BUSY = frozenset({408, 425, 429})
"""Answers that ask for another attempt, as do those from 500 on: however many it takes, nothing is lost."""
GONE, CONFLICT = 410, 409

Answer = Literal["taken", "busy", "refused", "gone"]

_random = random.Random()  # noqa: S311 - spreads attempts, keeps no secret


class RelayError(HomeroomError, RuntimeError):
    """The relay cannot start, or cannot go on."""


def answer_of(status: int, form: Form) -> Answer:
    """What a status means. A record store answers 409 to a statement that it has: it is taken."""
    if 200 <= status < 300 or (status == CONFLICT and form == "xapi"):
        return "taken"
    if status in BUSY or status >= 500:
        return "busy"
    return "gone" if status == GONE else "refused"


def wait_s(attempt: int, longest_s: float) -> float:
    """Seconds after the attempt, the first being 1: twice as many each time, at random from half of it."""
    longest = min(longest_s, FIRST_WAIT_S * 2.0 ** min(attempt - 1, 30))
    return longest * _random.uniform(0.5, 1.0)


def retry_after_s(value: str | None, now: datetime) -> float:
    """Seconds that ``Retry-After`` asks for (RFC 9110, 10.2.3); 0 where it says nothing that can be read."""
    if value is None:
        return 0.0
    if value.isascii() and value.isdigit():
        return float(value[:9])
    try:
        moment = parsedate_to_datetime(value)
    except ValueError:
        return 0.0
    return max((moment.replace(tzinfo=moment.tzinfo or UTC) - now).total_seconds(), 0.0)


class Delivery:
    """Delivers messages through one session. No log has a message, a learner or the address."""

    def __init__(
        self, settings: RelaySettings, forms: Forms, session: ClientSession, metrics: RelayMetrics
    ) -> None:
        self._settings, self._forms, self._session, self._metrics = settings, forms, session, metrics
        self._timeout = ClientTimeout(total=settings.timeout_s)

    async def deliver(self, message: OutMessage) -> str | None:
        """Post until the message is taken. Returns why it is refused for good, None where it is taken.

        Raises:
            RelayError: the endpoint is gone (410).
        """
        attempt = refusals = 0
        while True:
            attempt += 1
            answer, detail, asked_s = await self._attempt(message)
            if answer == "taken":
                return None
            if answer == "gone":
                raise RelayError(
                    "the endpoint of HOMEROOM_RELAY_URL answers 410, gone: it wants no more messages; the "
                    "relay stops, and what was not taken waits"
                )
            if answer == "refused":
                refusals += 1
                if refusals >= self._settings.attempts:
                    return f"{detail}, {refusals} times; expected 2xx"
            longest_s = self._settings.longest_wait_s
            pause_s = min(max(wait_s(attempt, longest_s), asked_s), longest_s)
            log.warning("attempt %d: %s; the next in %.1f s", attempt, detail, pause_s)
            await asyncio.sleep(pause_s)

    async def _attempt(self, message: OutMessage) -> tuple[Answer, str, float]:
        """The answer, what it was in words, and the seconds that it asks to wait."""
        request = self._forms.request(message)
        posting = self._session.post(
            self._settings.url,
            data=request.body,
            headers=request.headers,
            timeout=self._timeout,
            allow_redirects=False,
        )
        try:
            with self._metrics.post_seconds.time():
                async with posting as response:
                    status, asked = response.status, response.headers.get("Retry-After")
        except (ClientError, TimeoutError, OSError) as error:
            self._metrics.attempts.labels("unanswered").inc()
            return "busy", f"no answer ({type(error).__name__})", 0.0
        answer = answer_of(status, self._settings.form)
        self._metrics.attempts.labels(answer).inc()
        return answer, f"the endpoint answers {status}", retry_after_s(asked, datetime.now(UTC))
