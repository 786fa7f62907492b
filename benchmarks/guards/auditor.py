"""The auditor: looks for violations of the guards in the messages that were sent, by code of its own."""

from collections.abc import Iterable, Iterator
from datetime import datetime
from datetime import time as clock
from typing import Any
from zoneinfo import ZoneInfo

from benchmarks.guards.lives import CHANNELS, DAY, HOUR, POLICY, Message, event_time
from benchmarks.guards.partition import Partition
from nudges.assignment import held_out
from schemas.nudge import Nudge, NudgeCancelled


def judge(partition: Partition) -> None:
    """Count the violations among the messages that a partition sent, in its audit."""
    audit, life = partition.audit, partition.life
    ended = {change.risk_change_id for _, change, situation in life.changes if not situation.in_force}
    cancellations = [one.message for one in partition.sent if isinstance(one.message, NudgeCancelled)]
    taken_back = {message.nudge_id: message for message in cancellations}
    delivered: list[Nudge] = []
    for one in partition.sent:
        nudge = one.message
        if not isinstance(nudge, Nudge):
            audit.cancelled += 1
            continue
        audit.sent += 1
        known = [message for _, message in life.messages[: one.messages_read]]
        audit.violations.update(_at_decision(nudge, known))
        audit.violations["run over"] += nudge.risk_change_id in ended
        if nudge.nudge_id in taken_back:
            cancelled = taken_back[nudge.nudge_id]
            audit.violations["cancelled late"] += cancelled.cancelled_at >= nudge.send_at
            continue
        audit.violations.update(_over_caps(nudge, delivered, known))
        audit.violations.update(_not_taken_back(nudge, one.messages_read, partition))
        if nudge.digest:
            audit.together += _message_key(nudge) in map(_message_key, delivered)
            audit.violations.update(_beside_another_digest(nudge, delivered))
        delivered.append(nudge)
    audit.violations["sent twice"] += len(delivered) - len({nudge.nudge_id for nudge in delivered})
    audit.violated += [life.name] if audit.violations.total() else []


def _at_decision(nudge: Nudge, known: list[Message]) -> Iterator[str]:
    if nudge.channel in _closed_channels(known):
        yield "opted out"
    if _suppressed(known):
        yield "suppressed"
    paused = _paused_until(known)
    if paused is not None and nudge.decided_at < paused:
        yield "paused"
    local = nudge.send_at.astimezone(ZoneInfo(_newest_wish("timezone", known) or "UTC")).time()
    if local >= clock(21) or local < clock(8):
        yield "night"
    if held_out(POLICY.holdout_key, nudge.learner, nudge.course_run, POLICY.holdout_share):
        yield "holdout"
    if not nudge.decided_at <= nudge.send_at < nudge.expires_at:
        yield "not in time"
    longest = 192 if nudge.digest else 72
    if (nudge.expires_at - nudge.decided_at).total_seconds() > longest * HOUR:
        yield "longer than its reason"


def _not_taken_back(nudge: Nudge, messages_read: int, partition: Partition) -> Iterator[str]:
    """What was read between the decision and the sending, and should have cancelled it."""
    due = int(nudge.send_at.timestamp())
    for number in range(messages_read, len(partition.life.messages)):
        if partition.read_at[number] >= due:
            continue
        known = [message for _, message in partition.life.messages[: number + 1]]
        paused = _paused_until(known)
        if nudge.channel in _closed_channels(known):
            yield "sent after an opt-out"
        if _suppressed(known):
            yield "sent after a suppression"
        if paused is not None and nudge.send_at < paused:
            yield "sent in a pause"


def _over_caps(nudge: Nudge, before: list[Nudge], known: list[Message]) -> Iterator[str]:
    """Messages are counted, so all of a digest once; of each it is known which campaigns are in it."""
    others = {message["event_id"]: message for message in known if message.get("kind") == "sent"}
    sent: dict[Any, tuple[int, Any, set[str]]]
    sent = {name: (event_time(message), message["channel"], set()) for name, message in others.items()}
    for one in before:
        at = int(one.send_at.timestamp())
        sent.setdefault(_message_key(one), (at, one.channel, set()))[2].add(one.campaign)
    sent.pop(_message_key(nudge), None)
    mine = int(nudge.send_at.timestamp())
    for cap in POLICY.caps:
        if cap.channel not in (None, nudge.channel) or cap.campaign not in (None, nudge.campaign):
            continue
        times = [
            at
            for at, channel, campaigns in sent.values()
            if cap.channel in (None, channel) and (cap.campaign is None or cap.campaign in campaigns)
        ]
        starts = [at for at in (*times, mine) if mine - cap.days * DAY < at <= mine]
        if any(1 + sum(start <= at < start + cap.days * DAY for at in times) > cap.most for start in starts):
            yield f"cap: {cap.most} in {cap.days} days {cap.channel or cap.campaign or ''}".strip()


def _message_key(nudge: Nudge) -> Any:
    """What the nudge comes with: a digest of one moment and channel, or a message of its own."""
    return (nudge.send_at, nudge.channel) if nudge.digest else nudge.nudge_id


def _beside_another_digest(nudge: Nudge, before: list[Nudge]) -> Iterator[str]:
    """What is decided while a digest is planned goes with that one."""
    for one in before:
        if one.digest and one.decided_at <= nudge.decided_at < one.send_at != nudge.send_at:
            yield "a digest beside another"


def _closed_channels(known: list[Message]) -> set[str]:
    said = [one for one in known if "opted_out" in one]
    unsubscribed = [one for one in known if one.get("kind") == "unsubscribed"]
    closed: set[str] = set()
    for channel in CHANNELS:
        opened = _last_reopened(one for one in said if channel not in one["opted_out"])
        noes = [one for one in said if channel in one["opted_out"]]
        noes += [one for one in unsubscribed if one["channel"] in (channel, None)]
        if any(event_time(one) >= opened for one in noes):
            closed.add(channel)
    return closed


def _suppressed(known: list[Message]) -> bool:
    said = [one for one in known if "suppressed" in one]
    opened = _last_reopened(one for one in said if not one["suppressed"])
    return any(one["suppressed"] and event_time(one) >= opened for one in said)


def _paused_until(known: list[Message]) -> datetime | None:
    said = [one for one in known if "paused_until" in one]
    opened = _last_reopened(said)  # a pause that the learner names anew may be shorter than the one before
    pauses = [one["paused_until"] for one in said if one["paused_until"] and event_time(one) >= opened]
    return max(pauses, default=None)


def _last_reopened(said: Iterable[Message]) -> int:
    """When those who may take a *no* back did so last."""
    may = [
        one for one in said if one["said_by"] == "learner" or (one["said_by"] == "admin" and one["reason"])
    ]
    return max(map(event_time, may), default=-(2**62))


def _newest_wish(wish: str, known: list[Message]) -> Any:
    said = [(event_time(one), one["event_id"], one[wish]) for one in known if wish in one]
    return max(said, key=lambda one: one[:2])[2] if said else None
