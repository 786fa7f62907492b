"""The notifier's receipts: the delivery attempts of each nudge and their results.

They are the notifier's state. A nudge is *claimed* before an attempt, and the first claim in the topic's
order holds; so of two notifiers that have the same nudge only one sends it. They contain neither the address
nor the text of the message.
"""

from typing import Annotated, Literal

from pydantic import Field

from schemas.fields import Id, Instant, Message
from schemas.learner import Channel

ReceiptState = Literal[
    "claimed",  # an attempt begins; until the next receipt it is not known whether it was made
    "failed",  # it was made, and the provider did not accept the message
    "sent",  # the provider accepted it
    "dropped",  # it will not be sent; `reason` has the cause
]


class NudgeReceipt(Message):
    """One step of a nudge's delivery. Keyed by the nudge."""

    type: Literal["nudge_receipt"] = "nudge_receipt"
    version: Literal[1] = 1
    nudge_id: Id
    state: ReceiptState
    claim: Id = Field(description="names the attempt; a step counts where its claim holds")
    attempt: Annotated[int, Field(ge=0)] = Field(description="its number; 0 where none was made")
    channel: Channel
    occurred_at: Instant
    expires_at: Instant = Field(description="the nudge's; afterwards the receipt may be forgotten")
    reason: str = ""
