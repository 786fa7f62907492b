"""Writes receipts and reads them back: what a receipt says counts from when the topic has it.

A claim is asked for by writing it and waiting until it comes back through the topic; what the topic held
before it has then been taken too, and the standing says who holds the nudge.
"""

import asyncio
import logging
import uuid
from datetime import UTC, datetime
from typing import Literal, Protocol

from pydantic import ValidationError

from notifier.claims import Claims, Standing
from notifier.errors import NotifierError
from notifier.outbox import Publisher
from schemas.learner import Channel
from schemas.receipt import NudgeReceipt, ReceiptState

log = logging.getLogger(__name__)

BACK_S = 60.0
"""After so long without its own receipt a notifier knows nothing any more, and ends."""


class Claimed(Protocol):
    """What is claimed: a nudge, or a digest of several."""

    @property
    def nudge_id(self) -> str: ...
    @property
    def channel(self) -> Channel: ...
    @property
    def expires_at(self) -> datetime: ...


class Receipts:
    """The notifier's memory. ``take`` is to be given every record of the topic, in its order."""

    def __init__(self, publisher: Publisher, topic: str) -> None:
        self._publisher = publisher
        self._topic = topic
        self._claims = Claims()
        self._awaited: dict[tuple[str, ReceiptState], asyncio.Future[None]] = {}

    def standing(self, nudge_id: str) -> Standing:
        """Where the nudge stands, as far as the topic has been read."""
        return self._claims.standing(nudge_id)

    def take(self, value: bytes) -> None:
        """Take the topic's next record."""
        try:
            receipt = NudgeReceipt.model_validate_json(value)
        except ValidationError:
            log.warning("%s: a record is no receipt; it is left out", self._topic)
            return
        self._claims.take(receipt)
        awaited = self._awaited.pop((receipt.claim, receipt.state), None)
        if awaited is not None and not awaited.done():
            awaited.set_result(None)

    async def claim(self, what: Claimed, attempt: int) -> str | None:
        """The name of the claim where it holds now; None where another one does."""
        claim = uuid.uuid4().hex
        await self.write(what, "claimed", claim, attempt)
        return claim if self.standing(what.nudge_id).holder == claim else None

    async def write(
        self, what: Claimed, state: ReceiptState, claim: str, attempt: int, reason: str = ""
    ) -> None:
        """Write a receipt and wait until it has come back. Raises ``NotifierError`` where it does not."""
        receipt = NudgeReceipt(
            nudge_id=what.nudge_id,
            state=state,
            claim=claim,
            attempt=attempt,
            channel=what.channel,
            occurred_at=datetime.now(UTC),
            expires_at=what.expires_at,
            reason=reason,
        )
        back = asyncio.get_running_loop().create_future()
        self._awaited[claim, state] = back
        try:
            self._publisher.send(self._topic, receipt.model_dump_json().encode(), what.nudge_id)
        except Exception as error:
            raise NotifierError(f"{self._topic} takes nothing: {error}") from error
        try:
            await asyncio.wait_for(back, BACK_S)
        except TimeoutError:
            raise NotifierError(f"a receipt did not come back from {self._topic} in {BACK_S:.0f} s") from None

    async def settle(self, what: Claimed, state: Literal["sent", "dropped"], reason: str = "") -> None:
        """It has its end, whoever holds it: it was sent, or will not be by anybody."""
        attempts = self.standing(what.nudge_id).attempts
        await self.write(what, state, uuid.uuid4().hex, attempts, reason)

    def forget(self) -> None:
        """Forget what has expired."""
        self._claims.forget(datetime.now(UTC))
