"""What nudging must know of one learner, in all courses: wishes, messages sent and planned, proposals.

:func:`heard` takes in what learners and other systems say. It is commutative and idempotent: messages that
come late, twice or in another order leave the same record, so nothing that was closed opens by accident.
Of each wish the newest by ``occurred_at`` holds (of two at one moment the one with the larger event id); a
*no* holds until somebody takes it back who may (:mod:`schemas.consent`).

A wish may be dated far ahead: by a clock that is wrong, or in a replay, where feedback is read before the
events of its day. It waits until its time has come (:meth:`Learner.wait`), so it wins over nothing that is
said before then.

A record is plain data (:meth:`Learner.record`), to be kept by whoever calls. Nothing here decides.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from operator import attrgetter
from typing import Any, Self

from nudges.policy import MAX_CAP_DAYS
from schemas.consent import CHANNELS, Consent
from schemas.fields import DAY_S

__all__ = ["CHANNELS"]

WISHES = ("timezone", "digest")
"""Those of which the newest holds, whoever says it. What closes channels is in :class:`Consent`."""

Wish = tuple[int, str, Any]
"""When it was said, in which event, and what."""

MOST_AHEAD = 64
"""Wishes of one learner that wait for their time: the earliest ones."""


@dataclass(frozen=True, slots=True, order=True)
class Sending:
    """A message to the learner, sent or planned. Times are epoch seconds.

    ``name`` is the nudge's id, or that of the event by which another system told of its own message;
    those have no campaign. ``channel`` is empty where it was not said. ``digest`` is true of what goes with
    everything else of the same moment and channel as one message.
    """

    at: int
    name: str
    channel: str = ""
    campaign: str = ""
    variant: str = ""
    course_run: str = ""
    risk_change_id: str = ""
    digest: bool = False

    @property
    def message(self) -> str:
        """Names what the learner gets: all of a digest is one message."""
        return f"{self.at}/{self.channel}" if self.digest else self.name


_VALUES = attrgetter(*Sending.__slots__)


@dataclass(frozen=True, slots=True)
class Proposal:
    """A nudge that waits for an instructor: the risk change it answers, as JSON, since and until when.

    ``campaign``, ``variant`` and ``next_item`` are those of the moment at which it was proposed.
    """

    change: dict[str, Any]
    since: int
    until: int
    campaign: str = ""
    variant: str = ""
    next_item: str | None = None

    @property
    def course_run(self) -> str:
        found: str = self.change["course_run"]
        return found


@dataclass(frozen=True, slots=True)
class Learner:
    """One learner's record. ``home_zone`` is what enrolments said, for want of a wish; ``ahead`` are the
    messages that wait for their time, as plain data by their event."""

    wishes: Mapping[str, Wish] = field(default_factory=dict)
    consent: Consent = field(default_factory=Consent)
    sendings: tuple[Sending, ...] = ()
    proposals: Mapping[str, Proposal] = field(default_factory=dict)
    home_zone: str | None = None
    ahead: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    @classmethod
    def of(cls, record: Mapping[str, Any]) -> Self:
        """The learner that :meth:`record` wrote down; an empty mapping is a learner never heard of."""
        return cls(
            {name: (*record["wishes"][name],) for name in WISHES if name in record.get("wishes", {})},
            Consent.from_record(record),
            tuple(Sending(*values) for values in record.get("sendings", ())),
            {name: Proposal(*values) for name, values in record.get("proposals", {}).items()},
            record.get("home_zone"),
            record.get("ahead", {}),
        )

    def record(self) -> dict[str, Any]:
        """As plain data, for JSON."""
        found: dict[str, Any] = {
            "wishes": {name: list(wish) for name, wish in sorted(self.wishes.items())},
            **self.consent.to_record(),
            "sendings": [list(_VALUES(one)) for one in self.sendings],
            "proposals": {
                name: [getattr(one, value) for value in Proposal.__slots__]
                for name, one in sorted(self.proposals.items())
            },
            "home_zone": self.home_zone,
            "ahead": {event: dict(said) for event, said in sorted(self.ahead.items())},
        }
        return {name: value for name, value in found.items() if value}

    def wish(self, name: str) -> Any:
        """The newest value of a wish, None where none was said."""
        return self.wishes[name][2] if name in self.wishes else None

    @property
    def zone(self) -> str | None:
        """The name of the learner's time zone, where it is known."""
        return self.wish("timezone") or self.home_zone

    def closed(self, channel: str) -> bool:
        """Whether the learner does not want a channel."""
        return self.consent.is_opted_out(channel)

    def pending(self, at: int) -> tuple[Sending, ...]:
        """Our own messages that are to be sent after a moment."""
        return tuple(one for one in self.sendings if one.at > at and one.campaign)

    def plan(self, sending: Sending) -> Self:
        """With a message more."""
        kept = [one for one in self.sendings if one.name != sending.name]
        return replace(self, sendings=tuple(sorted([*kept, sending])))

    def unanswered(self, now: int) -> dict[str, Proposal]:
        """The proposals that nobody answered in time."""
        return {name: one for name, one in self.proposals.items() if one.until <= now}

    def forget(self, now: int) -> Self:
        """Without what is too old for any cap, and without proposals that nobody answered in time."""
        oldest = now - MAX_CAP_DAYS * DAY_S
        sendings = tuple(one for one in self.sendings if one.at > oldest)
        proposals = {name: one for name, one in self.proposals.items() if one.until > now}
        if (len(sendings), len(proposals)) == (len(self.sendings), len(self.proposals)):
            return self
        return replace(self, sendings=sendings, proposals=proposals)

    def without(self, name: str) -> Self:
        """Without a message or proposal."""
        sendings = tuple(one for one in self.sendings if one.name != name)
        proposals = {key: one for key, one in self.proposals.items() if key != name}
        return replace(self, sendings=sendings, proposals=proposals)

    def wait(self, message: Mapping[str, Any]) -> Self:
        """With a wish that is to count from its own time on, and not before."""
        said = {name: _plain(value) for name, value in message.items()}
        found = {**self.ahead, message["event_id"]: said}
        first = sorted(found, key=lambda event: (found[event]["occurred_at"], event))[:MOST_AHEAD]
        return replace(self, ahead={event: found[event] for event in first})

    def come_true(self, now: int) -> tuple[Self, list[Mapping[str, Any]]]:
        """Without the wishes whose time has come, and these in its order."""
        due = [said for said in self.ahead.values() if said["occurred_at"] <= now]
        if not due:
            return self, []
        left = {event: said for event, said in self.ahead.items() if said["occurred_at"] > now}
        return replace(self, ahead=left), sorted(
            due, key=lambda said: (said["occurred_at"], said["event_id"])
        )

    def propose(self, name: str, proposal: Proposal) -> Self:
        """With a proposal more."""
        return replace(self, proposals={**self.proposals, name: proposal})


def is_wish(message: Mapping[str, Any]) -> bool:
    """Whether a message says how the learner wants to be reached."""
    return message["type"] == "preferences" or message.get("kind") == "unsubscribed"


def heard(learner: Learner, message: Mapping[str, Any]) -> Learner:
    """The learner after a message: preferences, feedback, or an enrolment, which may name a time zone."""
    match message["type"]:
        case "preferences":
            return _with_wishes(learner, message)
        case "feedback" if message["kind"] == "unsubscribed":
            return _unsubscribed(learner, message)
        case "feedback" if message["kind"] in ("sent", "delivered"):
            return _with_sending(learner, message)
        case "enrolled" if message.get("timezone") and learner.home_zone is None:
            return replace(learner, home_zone=message["timezone"])
    return learner


def _with_wishes(learner: Learner, message: Mapping[str, Any]) -> Learner:
    at, event = _at(message), message["event_id"]
    found = dict(learner.wishes)
    for name in WISHES:
        known = found.get(name)
        if name in message and (known is None or (at, event) > known[:2]):
            found[name] = (at, event, _plain(message[name]))
    return replace(learner, wishes=found, consent=learner.consent.after_preferences(message))


def _plain(value: Any) -> Any:
    """A wish's value as JSON has it: moments as epoch seconds, channels in order."""
    if hasattr(value, "timestamp"):
        return int(value.timestamp())
    return sorted(value) if isinstance(value, list) else value


def _unsubscribed(learner: Learner, message: Mapping[str, Any]) -> Learner:
    """Close the channel: the one that is named, else the nudge's, else all of them."""
    channel = message.get("channel") or _channel_of(learner, message.get("nudge_id"))
    return replace(learner, consent=learner.consent.after_unsubscription(message, channel))


def _channel_of(learner: Learner, nudge_id: str | None) -> str:
    return next((one.channel for one in learner.sendings if one.name == nudge_id), "")


def _with_sending(learner: Learner, message: Mapping[str, Any]) -> Learner:
    """A message that reached the learner counts, whoever decided on it; ours is known already."""
    name = message.get("nudge_id") or message["event_id"]
    if any(one.name == name for one in learner.sendings):
        return learner
    if message["kind"] == "delivered" and not message.get("nudge_id"):
        return learner  # nobody can say of what
    return learner.plan(Sending(_at(message), name, message.get("channel") or ""))


def _at(message: Mapping[str, Any]) -> int:
    found: int = _plain(message["occurred_at"])
    return found
