"""Writes receipts and reads them back: what a receipt says counts from when the topic has it.

A claim is asked for by writing it and waiting until it comes back through the topic; what the topic held
before it has then been taken too, and the standing says who holds the nudge.
"""

import asyncio
import logging
import uuid
from datetime import UTC, datetime

from pydantic import ValidationError

from nudges.notifier.claims import Claims, Standing
from nudges.notifier.errors import NotifierError
from nudges.notifier.outbox import Publisher
from schemas.nudge import Nudge
from schemas.receipt import NudgeReceipt, ReceiptState

log = logging.getLogger(__name__)

BACK_S = 60.0
"""After so long without its own receipt a notifier knows nothing any more, and ends."""


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

    async def claim(self, nudge: Nudge, attempt: int) -> str | None:
        """The name of the claim where it holds the nudge now; None where another one holds it."""
        claim = uuid.uuid4().hex
        await self.write(nudge, "claimed", claim, attempt)
        return claim if self.standing(nudge.nudge_id).holder == claim else None

    async def write(
        self, nudge: Nudge, state: ReceiptState, claim: str, attempt: int, reason: str = ""
    ) -> None:
        """Write a receipt and wait until it has come back. Raises ``NotifierError`` where it does not."""
        receipt = NudgeReceipt(
            nudge_id=nudge.nudge_id,
            state=state,
            claim=claim,
            attempt=attempt,
            channel=nudge.channel,
            occurred_at=datetime.now(UTC),
            expires_at=nudge.expires_at,
            reason=reason,
        )
        back = asyncio.get_running_loop().create_future()
        self._awaited[claim, state] = back
        self._publisher.send(self._topic, receipt.model_dump_json().encode(), nudge.nudge_id)
        try:
            await asyncio.wait_for(back, BACK_S)
        except TimeoutError:
            raise NotifierError(f"a receipt did not come back from {self._topic} in {BACK_S:.0f} s") from None

    async def drop(self, nudge: Nudge, reason: str) -> None:
        """The nudge will not be sent, by anybody."""
        attempts = self.standing(nudge.nudge_id).attempts
        await self.write(nudge, "dropped", uuid.uuid4().hex, attempts, reason)

    def forget(self) -> None:
        """Forget what has expired."""
        self._claims.forget(datetime.now(UTC))
