"""A learner's opt-outs, and who may opt them in again. Pure; worker, notifier and console share it.

An opt-out applies to a *scope*: a channel (``opted_out``, or an unsubscription), or all channels
(``suppressed``, and ``paused_until`` for a while). Anybody may opt a learner out, since sending nothing harms
nobody. Opting in again takes the learner, or an admin who gives a reason (``said_by``, ``reason``); of a
message of anybody else, only the opt-outs count.

The outcome depends on the messages alone and not on their order, and repeats change nothing. For each scope
the newest opt-in by those who may opt in holds, and every opt-out that is not older than that.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Self, get_args

from schemas.learner import Channel

CHANNELS: tuple[Channel, ...] = get_args(Channel)
PAUSED, SUPPRESSED = "paused", "suppressed"
SCOPES = (*CHANNELS, PAUSED, SUPPRESSED)

FOREVER = 253_402_300_799
"""Epoch seconds at the end of year 9999: the end of an opt-out without an end."""

MAX_OPT_OUTS = 16
"""Pauses of one learner that may be in force together: each is of a later message than the one before, and
ends earlier."""

OptOut = tuple[int, int]
"""The moment of its message, and the moment at which it ends, in epoch seconds."""


@dataclass(frozen=True, slots=True)
class Consent:
    """By scope: the opt-outs in force, oldest first, and the moment of the newest opt-in in epoch seconds."""

    opt_outs: Mapping[str, tuple[OptOut, ...]] = field(default_factory=dict)
    opted_in: Mapping[str, int] = field(default_factory=dict)

    @classmethod
    def from_record(cls, record: Mapping[str, Any]) -> Self:
        """The consent of :meth:`to_record`, or of a record of a release without rules on who may opt in."""
        opt_outs = {
            scope: tuple((moment, until) for moment, until in pairs)
            for scope, pairs in _recorded_opt_outs(record).items()
        }
        consent = cls(opt_outs, dict(record.get("opened", {})))
        for channel, moment in record.get("unsubscribed", {}).items():
            consent = consent.opt_out(channel, moment)
        moment, _, channels = record.get("wishes", {}).get("opted_out", (0, "", ()))
        for channel in channels:
            consent = consent.opt_out(channel, moment)
        moment, _, suppressed = record.get("wishes", {}).get("suppressed", (0, "", False))
        consent = consent.opt_out(SUPPRESSED, moment) if suppressed else consent
        moment, _, until = record.get("wishes", {}).get("paused_until", (0, "", None))
        return consent.opt_out(PAUSED, moment, until) if until is not None else consent

    def to_record(self) -> dict[str, Any]:
        """As plain data for JSON; ``from_record`` reads it."""
        return {
            "noes": {
                scope: [list(opt_out) for opt_out in opt_outs]
                for scope, opt_outs in sorted(self.opt_outs.items())
            },
            "opened": dict(sorted(self.opted_in.items())),
        }

    def is_opted_out(self, scope: str) -> bool:
        """Whether an opt-out of a scope, such as a channel, is in force."""
        return scope in self.opt_outs

    @property
    def opted_out(self) -> list[Channel]:
        """The channels with an opt-out in force."""
        return [channel for channel in CHANNELS if channel in self.opt_outs]

    @property
    def suppressed(self) -> bool:
        """Whether nothing may be sent, on any channel."""
        return SUPPRESSED in self.opt_outs

    @property
    def paused_until(self) -> int | None:
        """The end of the longest pause in epoch seconds, None without any."""
        return max((until for _, until in self.opt_outs.get(PAUSED, ())), default=None)

    @property
    def since(self) -> dict[str, int]:
        """The moment of the newest opt-out of each scope that has one, in epoch seconds."""
        return {scope: self.opt_outs[scope][-1][0] for scope in SCOPES if scope in self.opt_outs}

    def opt_out(self, scope: str, moment: int, until: int = FOREVER) -> Self:
        """The consent after an opt-out of a scope."""
        if moment < self.opted_in.get(scope, moment):
            return self
        opt_outs = _in_force([*self.opt_outs.get(scope, ()), (moment, until)])
        return replace(self, opt_outs={**self.opt_outs, scope: opt_outs})

    def opt_in(self, scope: str, moment: int) -> Self:
        """The consent after an opt-in, which ends all older opt-outs; the caller checks ``may_opt_in``."""
        since = max(moment, self.opted_in.get(scope, moment))
        left = tuple(opt_out for opt_out in self.opt_outs.get(scope, ()) if opt_out[0] >= since)
        others = {name: opt_outs for name, opt_outs in self.opt_outs.items() if name != scope}
        return replace(
            self, opt_outs=others | ({scope: left} if left else {}), opted_in={**self.opted_in, scope: since}
        )

    def joined_with(self, other: "Consent") -> Self:
        """The consent of a learner with two accounts: an opt-out from either is in force.

        An opt-in ends the older opt-outs of both.
        """
        joined = self
        for scope, moment in other.opted_in.items():
            joined = joined.opt_in(scope, moment)
        for scope, opt_outs in other.opt_outs.items():
            for moment, until in opt_outs:
                joined = joined.opt_out(scope, moment, until)
        return joined

    def after_preferences(self, message: Mapping[str, Any]) -> Self:
        """The consent after a message of preferences."""
        moment = seconds(message["occurred_at"])
        consent, allowed = self, may_opt_in(message)
        for scope in opt_in_scopes(message) if allowed else ():
            consent = consent.opt_in(scope, moment)
        for scope, until in _opt_outs_of(message):
            consent = consent.opt_in(scope, moment) if allowed else consent  # a new pause may be shorter
            consent = consent.opt_out(scope, moment, until)
        return consent

    def after_unsubscription(self, message: Mapping[str, Any], channel: str) -> Self:
        """The consent after an unsubscription from a channel; from all where the channel is empty."""
        consent = self
        for scope in (channel,) if channel else CHANNELS:
            consent = consent.opt_out(scope, seconds(message["occurred_at"]))
        return consent

    def refused_opt_ins(self, message: Mapping[str, Any]) -> list[str]:
        """The scopes for which preferences ask for an opt-in, or an earlier end, of somebody who may not."""
        if may_opt_in(message):
            return []
        until = self.paused_until
        requested = message.get("paused_until")
        is_sooner = until is not None and requested is not None and seconds(requested) < until
        return [
            scope
            for scope in SCOPES
            if scope in self.opt_outs and (scope in opt_in_scopes(message) or (scope == PAUSED and is_sooner))
        ]


def may_opt_in(message: Mapping[str, Any]) -> bool:
    """Whether preferences come from the learner, or from an admin who gives a reason."""
    by = message.get("said_by")
    return by == "learner" or (by == "admin" and bool((message.get("reason") or "").strip()))


def opt_in_scopes(message: Mapping[str, Any]) -> list[str]:
    """The scopes for which preferences ask for an opt-in."""
    scopes: list[str] = []
    if "opted_out" in message:
        scopes += [channel for channel in CHANNELS if channel not in message["opted_out"]]
    if "paused_until" in message and message["paused_until"] is None:
        scopes.append(PAUSED)
    if "suppressed" in message and not message["suppressed"]:
        scopes.append(SUPPRESSED)
    return scopes


def seconds(moment: Any) -> int:
    """A moment, a datetime or a number, as epoch seconds."""
    return int(moment.timestamp()) if isinstance(moment, datetime) else int(moment)


def _opt_outs_of(message: Mapping[str, Any]) -> Iterable[tuple[str, int]]:
    """The scopes that preferences opt out of, each with its end."""
    yield from ((channel, FOREVER) for channel in message.get("opted_out", ()))
    if message.get("suppressed"):
        yield SUPPRESSED, FOREVER
    if message.get("paused_until") is not None:
        yield PAUSED, seconds(message["paused_until"])


def _recorded_opt_outs(record: Mapping[str, Any]) -> Mapping[str, Any]:
    recorded: Mapping[str, Any] = record.get("noes", {})
    return recorded


def _in_force(opt_outs: Iterable[OptOut]) -> tuple[OptOut, ...]:
    """The opt-outs without those that a later one outlasts, oldest first.

    Of more than :data:`MAX_OPT_OUTS`, the oldest two become one with the later end: limiting a record's size
    must not shorten an opt-out.
    """
    lasting: list[OptOut] = []
    for moment, until in sorted(set(opt_outs), reverse=True):
        if not lasting or until > lasting[-1][1]:
            lasting.append((moment, until))
    lasting.reverse()
    while len(lasting) > MAX_OPT_OUTS:
        (_, longest), (moment, _) = lasting[:2]
        lasting[:2] = [(moment, longest)]
    return tuple(lasting)
