"""Who may send a nudge: folds the receipts topic into one state per nudge. Pure.

A notifier writes a claim and reads the topic up to it. The first claim in the topic's order holds until a
receipt reports its attempt as failed; a claim that comes while another one holds is ignored. All notifiers
read the same order, so they agree on the holder, whatever happened to the consumer group in between. *Sent*
and *dropped* are final.

A claim that is never resolved leaves the nudge *in doubt*: its notifier died between the claim and the
receipt, and the provider may have the message or not. This module only gives the age of a claim.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from schemas.receipt import NudgeReceipt, ReceiptState


@dataclass(frozen=True, slots=True)
class NudgeState:
    """A nudge's state. ``claimed_at`` is the time of the claim that holds it, if one does."""

    state: ReceiptState | None = None
    holder: str | None = None
    claimed_at: datetime | None = None
    attempts: int = 0
    expires_at: datetime | None = None

    @property
    def final(self) -> bool:
        return self.state in ("sent", "dropped")


NEW = NudgeState()
"""The state of a nudge without receipts."""


class Claims:
    """The states of all nudges that can still be sent."""

    def __init__(self) -> None:
        self._states: dict[str, NudgeState] = {}

    def __len__(self) -> int:
        return len(self._states)

    def __iter__(self) -> Iterator[str]:
        return iter(self._states)

    def state_of(self, nudge_id: str) -> NudgeState:
        """The nudge's state after the receipts applied so far."""
        return self._states.get(nudge_id, NEW)

    def apply(self, receipt: NudgeReceipt) -> None:
        """Apply the topic's next receipt."""
        before = self.state_of(receipt.nudge_id)
        if before.final:
            return
        is_final = receipt.state in ("sent", "dropped")
        is_failure = receipt.state == "failed" and before.holder in (receipt.claim, None)
        is_claim = receipt.state == "claimed" and before.holder is None
        if is_final or is_failure or is_claim:
            self._states[receipt.nudge_id] = NudgeState(
                state=receipt.state,
                holder=receipt.claim if is_claim else None,
                claimed_at=receipt.occurred_at if is_claim else None,
                attempts=receipt.attempt,
                expires_at=receipt.expires_at,
            )

    def forget(self, now: datetime) -> None:
        """Drop the nudges that have expired: they are not sent for that reason alone."""
        expired = [
            nudge_id
            for nudge_id, state in self._states.items()
            if state.expires_at and state.expires_at < now
        ]
        for nudge_id in expired:
            del self._states[nudge_id]
