"""Who may send a nudge: the receipts topic folded into one standing a nudge. Pure.

A notifier writes a claim and reads the topic up to it. The first claim in the topic's order holds until its
attempt is told to have failed; what comes while another claim holds counts for nothing. All notifiers read
the same order, so they agree on who holds, whatever became of the consumer group in between. A nudge that
was sent or dropped stays so.

A claim that nobody ever resolves leaves the nudge *in doubt*: its notifier died between the claim and the
receipt, and the provider may have the message or not. This module only tells how old a claim is.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from schemas.receipt import NudgeReceipt, ReceiptState


@dataclass(frozen=True, slots=True)
class Standing:
    """Where a nudge stands. ``since`` is the moment of the claim that holds it, where one does."""

    state: ReceiptState | None = None
    holder: str | None = None
    since: datetime | None = None
    attempts: int = 0
    expires_at: datetime | None = None

    @property
    def final(self) -> bool:
        return self.state in ("sent", "dropped")


NEW = Standing()
"""Of a nudge that no receipt speaks of."""


class Claims:
    """The standings of all nudges that can still be sent."""

    def __init__(self) -> None:
        self._standings: dict[str, Standing] = {}

    def __len__(self) -> int:
        return len(self._standings)

    def __iter__(self) -> Iterator[str]:
        return iter(self._standings)

    def standing(self, nudge_id: str) -> Standing:
        """Where the nudge stands, by the receipts taken so far."""
        return self._standings.get(nudge_id, NEW)

    def take(self, receipt: NudgeReceipt) -> None:
        """Take the topic's next receipt."""
        before = self.standing(receipt.nudge_id)
        if before.final:
            return
        ends = receipt.state in ("sent", "dropped")
        fails = receipt.state == "failed" and before.holder in (receipt.claim, None)
        claims = receipt.state == "claimed" and before.holder is None
        if ends or fails or claims:
            self._standings[receipt.nudge_id] = Standing(
                state=receipt.state,
                holder=receipt.claim if claims else None,
                since=receipt.occurred_at if claims else None,
                attempts=receipt.attempt,
                expires_at=receipt.expires_at,
            )

    def forget(self, now: datetime) -> None:
        """Forget the nudges that have expired: they are not sent for that reason alone."""
        gone = [name for name, one in self._standings.items() if one.expires_at and one.expires_at < now]
        for name in gone:
            del self._standings[name]
