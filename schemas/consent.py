"""What a learner does not want, and who may take that back. Pure; worker, notifier and console share it.

A *no* closes a door: a channel (``opted_out``, an unsubscription), or all of them (``suppressed``, and
``paused_until`` for a while). Anybody may say it, since to be silent harms nobody. It is taken back by the
learner, or by an admin who gives a reason (``said_by``, ``reason``); a message of anybody else that would
open a door leaves it closed, whatever else it says.

The outcome depends on the messages alone and not on their order, and repeats change nothing. Of a door the
newest word of those who may open it holds, and every *no* that is not older than that.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Self, get_args

from schemas.learner import Channel

CHANNELS: tuple[Channel, ...] = get_args(Channel)
PAUSED, SUPPRESSED = "paused", "suppressed"
DOORS = (*CHANNELS, PAUSED, SUPPRESSED)

FOREVER = 253_402_300_799
"""Epoch seconds at the end of year 9999: until when a *no* without an end holds."""

MOST_NOES = 16
"""Pauses of one learner that may count at once: each said later than the one before, and shorter."""

No = tuple[int, int]
"""When it was said and until when it holds, in epoch seconds."""


@dataclass(frozen=True, slots=True)
class Consent:
    """Of each door the *noes* that may still count, oldest first, and when it was last opened."""

    noes: Mapping[str, tuple[No, ...]] = field(default_factory=dict)
    opened: Mapping[str, int] = field(default_factory=dict)

    @classmethod
    def of(cls, record: Mapping[str, Any]) -> Self:
        """What :meth:`record` wrote down, or a record from before there was a rule who may open a door."""
        noes = {door: tuple((said, until) for said, until in some) for door, some in _noes(record).items()}
        found = cls(noes, dict(record.get("opened", {})))
        for channel, said in record.get("unsubscribed", {}).items():
            found = found.close(channel, said)
        said, _, value = record.get("wishes", {}).get("opted_out", (0, "", ()))
        for channel in value:
            found = found.close(channel, said)
        said, _, value = record.get("wishes", {}).get("suppressed", (0, "", False))
        found = found.close(SUPPRESSED, said) if value else found
        said, _, value = record.get("wishes", {}).get("paused_until", (0, "", None))
        return found.close(PAUSED, said, value) if value is not None else found

    def record(self) -> dict[str, Any]:
        """As plain data, for JSON."""
        return {
            "noes": {door: [list(one) for one in some] for door, some in sorted(self.noes.items())},
            "opened": dict(sorted(self.opened.items())),
        }

    def closed(self, channel: str) -> bool:
        """Whether the learner does not want a channel."""
        return channel in self.noes

    @property
    def opted_out(self) -> list[Channel]:
        """The channels that are closed."""
        return [channel for channel in CHANNELS if channel in self.noes]

    @property
    def suppressed(self) -> bool:
        """Whether nothing may be sent, on any channel."""
        return SUPPRESSED in self.noes

    @property
    def paused_until(self) -> int | None:
        """Until when the learner wants quiet, in epoch seconds."""
        return max((until for _, until in self.noes.get(PAUSED, ())), default=None)

    @property
    def since(self) -> dict[str, int]:
        """When the newest *no* to each closed door was said, in epoch seconds."""
        return {door: self.noes[door][-1][0] for door in DOORS if door in self.noes}

    def close(self, door: str, said: int, until: int = FOREVER) -> Self:
        """With a *no* more."""
        if said < self.opened.get(door, said):
            return self
        return replace(self, noes={**self.noes, door: _counting([*self.noes.get(door, ()), (said, until)])})

    def open(self, door: str, said: int) -> Self:
        """With all older *noes* to a door taken back; the caller knows that it may be."""
        since = max(said, self.opened.get(door, said))
        left = tuple(no for no in self.noes.get(door, ()) if no[0] >= since)
        others = {name: some for name, some in self.noes.items() if name != door}
        return replace(
            self, noes=others | ({door: left} if left else {}), opened={**self.opened, door: since}
        )

    def preferences(self, message: Mapping[str, Any]) -> Self:
        """After a message of preferences."""
        said = seconds(message["occurred_at"])
        found, may = self, takes_back(message)
        for door in opens(message) if may else ():
            found = found.open(door, said)
        for door, until in _closes(message):
            found = found.open(door, said) if may else found  # a pause that is named anew may be shorter
            found = found.close(door, said, until)
        return found

    def unsubscribed(self, message: Mapping[str, Any], channel: str) -> Self:
        """After an unsubscription from a channel; from all of them where nobody knows from which."""
        found = self
        for one in (channel,) if channel else CHANNELS:
            found = found.close(one, seconds(message["occurred_at"]))
        return found

    def withheld(self, message: Mapping[str, Any]) -> list[str]:
        """The closed doors that preferences ask to be opened, or opened earlier, by somebody who may not."""
        if takes_back(message):
            return []
        until = self.paused_until
        asked = message.get("paused_until")
        sooner = until is not None and asked is not None and seconds(asked) < until
        return [
            door
            for door in DOORS
            if door in self.noes and (door in opens(message) or (door == PAUSED and sooner))
        ]


def takes_back(message: Mapping[str, Any]) -> bool:
    """Whether preferences come from somebody who may take a *no* back."""
    by = message.get("said_by")
    return by == "learner" or (by == "admin" and bool((message.get("reason") or "").strip()))


def opens(message: Mapping[str, Any]) -> list[str]:
    """The doors that preferences ask to be open."""
    some: list[str] = []
    if "opted_out" in message:
        some += [channel for channel in CHANNELS if channel not in message["opted_out"]]
    if "paused_until" in message and message["paused_until"] is None:
        some.append(PAUSED)
    if "suppressed" in message and not message["suppressed"]:
        some.append(SUPPRESSED)
    return some


def seconds(moment: Any) -> int:
    """A moment, which may be a number already, as epoch seconds."""
    return int(moment.timestamp()) if isinstance(moment, datetime) else int(moment)


def _closes(message: Mapping[str, Any]) -> Iterable[tuple[str, int]]:
    """The doors that preferences close, and until when."""
    yield from ((channel, FOREVER) for channel in message.get("opted_out", ()))
    if message.get("suppressed"):
        yield SUPPRESSED, FOREVER
    if message.get("paused_until") is not None:
        yield PAUSED, seconds(message["paused_until"])


def _noes(record: Mapping[str, Any]) -> Mapping[str, Any]:
    found: Mapping[str, Any] = record.get("noes", {})
    return found


def _counting(noes: Iterable[No]) -> tuple[No, ...]:
    """Without those that one said no earlier outlasts. Of too many, the oldest two become one that holds as
    long as the longer: to bound a record must open nothing."""
    kept: list[No] = []
    for said, until in sorted(set(noes), reverse=True):
        if not kept or until > kept[-1][1]:
            kept.append((said, until))
    kept.reverse()
    while len(kept) > MOST_NOES:
        (_, longest), (said, _) = kept[:2]
        kept[:2] = [(said, longest)]
    return tuple(kept)
