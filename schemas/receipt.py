"""The notifier's receipts: what was tried and what became of it, one nudge after the other.

They are the notifier's memory. A nudge is *claimed* before an attempt, and the first claim in the topic's
order holds; so of two notifiers that have the same nudge one sends it. No address is in them, and no word
of the message.
"""

from typing import Annotated, Literal

from pydantic import Field

from schemas.fields import Id, Instant, Message
from schemas.learner import Channel

ReceiptState = Literal[
    "claimed",  # an attempt is about to be made; until the next receipt nobody knows whether it was
    "failed",  # it was, and the provider did not take the message
    "sent",  # the provider took it
    "dropped",  # it will not be sent; `reason` says why
]


class NudgeReceipt(Message):
    """One step of a nudge's delivery. Keyed by the nudge."""

    type: Literal["nudge_receipt"] = "nudge_receipt"
    version: Literal[1] = 1
    nudge_id: Id
    state: ReceiptState
    claim: Id = Field(description="names the attempt; a step counts where its claim holds")
    attempt: Annotated[int, Field(ge=0)] = Field(description="the how manieth; 0 where none was made")
    channel: Channel
    occurred_at: Instant
    expires_at: Instant = Field(description="the nudge's; afterwards the receipt may be forgotten")
    reason: str = ""
