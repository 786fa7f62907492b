"""What keeps a nudge from a learner, whatever the risk: wishes, pauses, the suppression list, caps.

A guard answers with its reason, or None where it has nothing against it.
"""

from collections.abc import Sequence

from nudges.learners import Learner, Sending
from nudges.policy import Cap
from schemas.fields import DAY_S
from schemas.learner import Channel
from schemas.nudge import DecisionReason


def unwelcome(learner: Learner, at: int, *, in_force: bool = True) -> DecisionReason | None:
    """Why nothing may go to this learner now, on any channel."""
    if not in_force:
        return "run_over"
    if learner.consent.suppressed:
        return "suppressed"
    paused_until = learner.consent.paused_until
    if paused_until is not None and at < paused_until:
        return "paused"
    return None


def open_channels(learner: Learner, channels: Sequence[Channel]) -> list[Channel]:
    """The channels that the learner has left open, in their order."""
    return [channel for channel in channels if not learner.closed(channel)]


def capped(learner: Learner, caps: Sequence[Cap], planned: Sending) -> DecisionReason | None:
    """Which cap a message would break, the general ones first.

    Planned messages count where they will be read, so one planned for tomorrow holds back another one
    of today: *any* window that would hold the message is looked at, not only the one that ends with it. What
    goes with a digest is no further message.
    """
    found = {_reason(cap) for cap in caps if _breaks(cap, learner.sendings, planned)}
    order: tuple[DecisionReason, ...] = ("cap_reached", "campaign_cap_reached", "channel_cap_reached")
    return next((reason for reason in order if reason in found), None)


def _reason(cap: Cap) -> DecisionReason:
    if cap.channel is not None:
        return "channel_cap_reached"
    return "cap_reached" if cap.campaign is None else "campaign_cap_reached"


def _breaks(cap: Cap, sendings: Sequence[Sending], planned: Sending) -> bool:
    if not _counts(cap, planned):
        return False
    length = cap.days * DAY_S
    near = {
        one.message: one.at for one in sendings if abs(one.at - planned.at) < length and _counts(cap, one)
    }
    near[planned.message] = planned.at
    if len(near) <= cap.most:
        return False
    moments = sorted(near.values())
    return any(last - first < length for first, last in zip(moments, moments[cap.most :], strict=False))


def _counts(cap: Cap, sending: Sending) -> bool:
    return cap.channel in (None, sending.channel) and cap.campaign in (None, sending.campaign)
