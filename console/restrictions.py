"""The API's models of a learner's contact restrictions and of the changes to them."""

from datetime import datetime

from pydantic import Field

from console import examples
from console.answers import Answer, with_examples


class Restrictions(Answer):
    """What a learner does not want. Only the learner takes it back, or an admin who gives a reason."""

    model_config = with_examples(examples.UNWANTED)

    opted_out: list[str] = Field(description="closed channels, by unsubscriptions as well")
    paused_until: datetime | None = Field(None, description="no messages until then; null where none is on")
    suppressed: bool = Field(False, description="nothing may be sent, on any channel")
    since: dict[str, datetime] = Field(
        default_factory=dict,
        description="when each no was said last, by channel, `paused` or `suppressed`",
    )


class PreferenceChange(Answer):
    """What was said of how a learner wants to be reached, and what it did."""

    at: datetime
    said_by: str | None = Field(None, description="learner, instructor or admin; null where nobody told")
    source: str | None = Field(None, description="whose key or which system it came by")
    reason: str | None = Field(None, description="why an admin took a no back")
    closes: list[str] = Field(description="channels, or `suppressed`")
    paused_until: datetime | None = None
    opens: list[str] = Field(
        description="what was closed and is open again: channels, `paused`, `suppressed`"
    )
    withheld: list[str] = Field(description="what it asked to be opened and stayed closed")
