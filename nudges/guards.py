"""Guards that hold back a nudge whatever the risk: wishes, pauses, the suppression list, caps.

A guard returns the reason of its refusal, or None where it does not refuse.
"""

from collections.abc import Sequence

from nudges.learners import Learner, Sending
from nudges.policy import Cap
from schemas.fields import DAY_S
from schemas.learner import Channel
from schemas.nudge import DecisionReason


def contact_refusal(learner: Learner, now: int, *, in_force: bool = True) -> DecisionReason | None:
    """Why nothing may be sent to this learner now, on any channel; None where it may."""
    if not in_force:
        return "run_over"
    if learner.consent.suppressed:
        return "suppressed"
    paused_until = learner.consent.paused_until
    if paused_until is not None and now < paused_until:
        return "paused"
    return None


def open_channels(learner: Learner, channels: Sequence[Channel]) -> list[Channel]:
    """The channels that the learner has left open, in their order."""
    return [channel for channel in channels if not learner.closed(channel)]


def cap_refusal(learner: Learner, caps: Sequence[Cap], planned: Sending) -> DecisionReason | None:
    """Which kind of cap the planned message would exceed, the general ones first; None where none.

    Planned messages count at their sending time, so one planned for tomorrow can hold back another one of
    today: *every* window that contains the message is checked, not only the one that ends with it. Nudges
    that go with the same digest count as one message.
    """
    broken = {_reason(cap) for cap in caps if _breaks(cap, learner.sendings, planned)}
    order: tuple[DecisionReason, ...] = ("cap_reached", "campaign_cap_reached", "channel_cap_reached")
    return next((reason for reason in order if reason in broken), None)


def _reason(cap: Cap) -> DecisionReason:
    if cap.channel is not None:
        return "channel_cap_reached"
    return "cap_reached" if cap.campaign is None else "campaign_cap_reached"


def _breaks(cap: Cap, sendings: Sequence[Sending], planned: Sending) -> bool:
    if not _counts(cap, planned):
        return False
    length = cap.days * DAY_S
    send_times = {
        sending.delivery_key: sending.send_at
        for sending in sendings
        if abs(sending.send_at - planned.send_at) < length and _counts(cap, sending)
    }
    send_times[planned.delivery_key] = planned.send_at
    if len(send_times) <= cap.most:
        return False
    ordered = sorted(send_times.values())
    return any(last - first < length for first, last in zip(ordered, ordered[cap.most :], strict=False))


def _counts(cap: Cap, sending: Sending) -> bool:
    return cap.channel in (None, sending.channel) and cap.campaign in (None, sending.campaign)
