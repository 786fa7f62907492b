"""Writes receipts and reads them back: a receipt is effective once the topic has it.

A claim is written, and awaited until it comes back through the topic; every earlier receipt has then been
applied too, so the nudge's state shows who holds it.
"""

import asyncio
import logging
import uuid
from datetime import UTC, datetime
from typing import Literal, Protocol

from pydantic import ValidationError

from notifier.claims import Claims, NudgeState
from notifier.errors import NotifierError
from notifier.outbox import Publisher
from schemas.learner import Channel
from schemas.receipt import NudgeReceipt, ReceiptState

log = logging.getLogger(__name__)

ROUND_TRIP_TIMEOUT_S = 60.0
"""After so long without its own receipt a notifier does not know the state any more, and ends."""


class Claimable(Protocol):
    """The subject of a claim: a nudge, or a digest of several."""

    @property
    def nudge_id(self) -> str: ...
    @property
    def channel(self) -> Channel: ...
    @property
    def expires_at(self) -> datetime: ...


class Receipts:
    """The states of nudges; ``apply_record`` is to be called with every record of the topic, in order."""

    def __init__(self, publisher: Publisher, topic: str) -> None:
        self._publisher = publisher
        self._topic = topic
        self._claims = Claims()
        self._awaited: dict[tuple[str, ReceiptState], asyncio.Future[None]] = {}

    def state_of(self, nudge_id: str) -> NudgeState:
        """The nudge's state, as far as the topic has been read."""
        return self._claims.state_of(nudge_id)

    def apply_record(self, value: bytes) -> None:
        """Apply the topic's next record."""
        try:
            receipt = NudgeReceipt.model_validate_json(value)
        except ValidationError:
            log.warning("%s: a record is not a valid receipt and is ignored", self._topic)
            return
        self._claims.apply(receipt)
        awaited = self._awaited.pop((receipt.claim, receipt.state), None)
        if awaited is not None and not awaited.done():
            awaited.set_result(None)

    async def claim(self, subject: Claimable, attempt: int) -> str | None:
        """Claim a nudge or digest; the claim's id, or None where another claim holds."""
        claim = uuid.uuid4().hex
        await self.write(subject, "claimed", claim, attempt)
        return claim if self.state_of(subject.nudge_id).holder == claim else None

    async def write(
        self, subject: Claimable, state: ReceiptState, claim: str, attempt: int, reason: str = ""
    ) -> None:
        """Write a receipt and wait until it has come back.

        Raises:
            NotifierError: it cannot be written, or does not come back.
        """
        receipt = NudgeReceipt(
            nudge_id=subject.nudge_id,
            state=state,
            claim=claim,
            attempt=attempt,
            channel=subject.channel,
            occurred_at=datetime.now(UTC),
            expires_at=subject.expires_at,
            reason=reason,
        )
        written = asyncio.get_running_loop().create_future()
        self._awaited[claim, state] = written
        try:
            self._publisher.send(self._topic, receipt.model_dump_json().encode(), subject.nudge_id)
        except Exception as error:
            raise NotifierError(f"{self._topic} takes nothing: {error}") from error
        try:
            await asyncio.wait_for(written, ROUND_TRIP_TIMEOUT_S)
        except TimeoutError:
            raise NotifierError(
                f"a receipt did not come back from {self._topic} in {ROUND_TRIP_TIMEOUT_S:.0f} s"
            ) from None

    async def settle(self, subject: Claimable, state: Literal["sent", "dropped"], reason: str = "") -> None:
        """Write the final receipt, whoever holds the claim: it was sent, or will never be."""
        attempts = self.state_of(subject.nudge_id).attempts
        await self.write(subject, state, uuid.uuid4().hex, attempts, reason)

    def forget(self) -> None:
        """Drop the states of nudges that have expired."""
        self._claims.forget(datetime.now(UTC))
