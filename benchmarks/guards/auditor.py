"""The auditor: counts violations of the guards in the messages that were sent, by independent code."""

from collections.abc import Iterable, Iterator
from datetime import datetime
from datetime import time as clock
from typing import Any
from zoneinfo import ZoneInfo

from benchmarks.guards.learner_logs import CHANNELS, DAY, HOUR, POLICY, Message, event_time
from benchmarks.guards.partition import Partition
from nudges.assignment import held_out
from schemas.nudge import Nudge, NudgeCancelled


def count_violations(partition: Partition) -> None:
    """Add the violations among the messages that a partition sent to its audit."""
    audit, logs = partition.audit, partition.logs
    ended = {change.risk_change_id for _, change, situation in logs.changes if not situation.in_force}
    cancellations = [
        sent_message.message
        for sent_message in partition.sent
        if isinstance(sent_message.message, NudgeCancelled)
    ]
    cancelled = {message.nudge_id: message for message in cancellations}
    delivered: list[Nudge] = []
    for sent_message in partition.sent:
        nudge = sent_message.message
        if not isinstance(nudge, Nudge):
            audit.cancelled += 1
            continue
        audit.sent += 1
        read = [message for _, message in logs.messages[: sent_message.messages_read]]
        audit.violations.update(_violations_at_decision(nudge, read))
        audit.violations["run over"] += nudge.risk_change_id in ended
        if nudge.nudge_id in cancelled:
            cancellation = cancelled[nudge.nudge_id]
            audit.violations["cancelled late"] += cancellation.cancelled_at >= nudge.send_at
            continue
        audit.violations.update(_exceeded_caps(nudge, delivered, read))
        audit.violations.update(_missed_cancellations(nudge, sent_message.messages_read, partition))
        if nudge.digest:
            audit.together += _message_key(nudge) in map(_message_key, delivered)
            audit.violations.update(_second_digests(nudge, delivered))
        delivered.append(nudge)
    audit.violations["sent twice"] += len(delivered) - len({nudge.nudge_id for nudge in delivered})
    audit.violated += [logs.name] if audit.violations.total() else []


def _violations_at_decision(nudge: Nudge, read: list[Message]) -> Iterator[str]:
    if nudge.channel in _closed_channels(read):
        yield "opted out"
    if _suppressed(read):
        yield "suppressed"
    paused = _paused_until(read)
    if paused is not None and nudge.decided_at < paused:
        yield "paused"
    local = nudge.send_at.astimezone(ZoneInfo(_newest_preference("timezone", read) or "UTC")).time()
    if local >= clock(21) or local < clock(8):
        yield "night"
    if held_out(POLICY.holdout_key, nudge.learner, nudge.course_run, POLICY.holdout_share):
        yield "holdout"
    if not nudge.decided_at <= nudge.send_at < nudge.expires_at:
        yield "not in time"
    longest = 192 if nudge.digest else 72
    if (nudge.expires_at - nudge.decided_at).total_seconds() > longest * HOUR:
        yield "longer than its reason"


def _missed_cancellations(nudge: Nudge, messages_read: int, partition: Partition) -> Iterator[str]:
    """Violations by messages that were read between decision and sending, and should have cancelled it."""
    due = int(nudge.send_at.timestamp())
    for number in range(messages_read, len(partition.logs.messages)):
        if partition.read_at[number] >= due:
            continue
        read = [message for _, message in partition.logs.messages[: number + 1]]
        paused = _paused_until(read)
        if nudge.channel in _closed_channels(read):
            yield "sent after an opt-out"
        if _suppressed(read):
            yield "sent after a suppression"
        if paused is not None and nudge.send_at < paused:
            yield "sent in a pause"


def _exceeded_caps(nudge: Nudge, delivered: list[Nudge], read: list[Message]) -> Iterator[str]:
    """Caps that the nudge exceeds. A digest counts as one message, for each campaign that is in it."""
    others = {message["event_id"]: message for message in read if message.get("kind") == "sent"}
    sent: dict[Any, tuple[int, Any, set[str]]]
    sent = {name: (event_time(message), message["channel"], set()) for name, message in others.items()}
    for earlier in delivered:
        sent_at = int(earlier.send_at.timestamp())
        sent.setdefault(_message_key(earlier), (sent_at, earlier.channel, set()))[2].add(earlier.campaign)
    sent.pop(_message_key(nudge), None)
    own_time = int(nudge.send_at.timestamp())
    for cap in POLICY.caps:
        if cap.channel not in (None, nudge.channel) or cap.campaign not in (None, nudge.campaign):
            continue
        times = [
            sent_at
            for sent_at, channel, campaigns in sent.values()
            if cap.channel in (None, channel) and (cap.campaign is None or cap.campaign in campaigns)
        ]
        starts = [
            sent_at for sent_at in (*times, own_time) if own_time - cap.days * DAY < sent_at <= own_time
        ]
        if any(
            1 + sum(start <= sent_at < start + cap.days * DAY for sent_at in times) > cap.most
            for start in starts
        ):
            yield f"cap: {cap.most} in {cap.days} days {cap.channel or cap.campaign or ''}".strip()


def _message_key(nudge: Nudge) -> Any:
    """Identifies the message that carries the nudge: a digest by time and channel, or its own."""
    return (nudge.send_at, nudge.channel) if nudge.digest else nudge.nudge_id


def _second_digests(nudge: Nudge, delivered: list[Nudge]) -> Iterator[str]:
    """A violation where a nudge decided while a digest is planned is not part of that one."""
    for earlier in delivered:
        if earlier.digest and earlier.decided_at <= nudge.decided_at < earlier.send_at != nudge.send_at:
            yield "a digest beside another"


def _closed_channels(read: list[Message]) -> set[str]:
    preferences = [message for message in read if "opted_out" in message]
    unsubscribed = [message for message in read if message.get("kind") == "unsubscribed"]
    closed: set[str] = set()
    for channel in CHANNELS:
        opened = _last_reopened(message for message in preferences if channel not in message["opted_out"])
        refusals = [message for message in preferences if channel in message["opted_out"]]
        refusals += [message for message in unsubscribed if message["channel"] in (channel, None)]
        if any(event_time(message) >= opened for message in refusals):
            closed.add(channel)
    return closed


def _suppressed(read: list[Message]) -> bool:
    preferences = [message for message in read if "suppressed" in message]
    opened = _last_reopened(message for message in preferences if not message["suppressed"])
    return any(message["suppressed"] and event_time(message) >= opened for message in preferences)


def _paused_until(read: list[Message]) -> datetime | None:
    preferences = [message for message in read if "paused_until" in message]
    # A pause that the learner sets again may be shorter than the one before.
    opened = _last_reopened(preferences)
    pauses = [
        message["paused_until"]
        for message in preferences
        if message["paused_until"] and event_time(message) >= opened
    ]
    return max(pauses, default=None)


def _last_reopened(preferences: Iterable[Message]) -> int:
    """The newest time at which somebody entitled to withdraw a refusal did so."""
    entitled = [
        message
        for message in preferences
        if message["said_by"] == "learner" or (message["said_by"] == "admin" and message["reason"])
    ]
    return max(map(event_time, entitled), default=-(2**62))


def _newest_preference(name: str, read: list[Message]) -> Any:
    values = [
        (event_time(message), message["event_id"], message[name]) for message in read if name in message
    ]
    return max(values, key=lambda message: message[:2])[2] if values else None
