"""A learner's record for nudging, over all courses: wishes, messages sent and planned, proposals.

:func:`update_learner` applies the messages of learners and other systems. It is commutative and idempotent:
messages that come late, twice or in another order give the same record, so nothing that was closed opens by
accident. Of each wish the newest by ``occurred_at`` holds (of two at one moment the one with the larger event
id); a *no* holds until somebody who may do so takes it back (:mod:`schemas.consent`).

A wish may be dated far ahead: by a clock that is wrong, or in a replay, where feedback is read before the
events of its day. It is deferred until then (:meth:`Learner.defer`), so it does not win over what is said
before.

A record is plain JSON data (:meth:`Learner.to_record`), which the caller stores. Nothing here decides.
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
"""Wishes of which the newest holds, whoever sent it. What closes channels is in :class:`Consent`."""

Wish = tuple[int, str, Any]
"""(occurred_at in epoch seconds, event id, value)."""

MAX_WAITING_WISHES = 64
"""The most wishes of one learner that are deferred; the earliest ones are kept."""


@dataclass(frozen=True, slots=True, order=True)
class Sending:
    """A message to the learner, sent or planned. Times are epoch seconds.

    ``message_id`` is the nudge's id, or that of the event by which another system reported a message;
    those have no campaign. ``channel`` is empty where it is unknown. ``digest``: sent together with
    everything else of the same moment and channel as one message.
    """

    send_at: int
    message_id: str
    channel: str = ""
    campaign: str = ""
    variant: str = ""
    course_run: str = ""
    risk_change_id: str = ""
    digest: bool = False

    @property
    def delivery_key(self) -> str:
        """Identifies the message that the learner gets: all nudges of a digest are one."""
        return f"{self.send_at}/{self.channel}" if self.digest else self.message_id


_SENDING_VALUES = attrgetter(*Sending.__slots__)


@dataclass(frozen=True, slots=True)
class Proposal:
    """A nudge that waits for an instructor's answer. Times are epoch seconds.

    ``change`` is the risk change that it answers, as JSON; ``campaign``, ``variant`` and ``next_item`` are
    those of the moment of the proposal.
    """

    change: dict[str, Any]
    proposed_at: int
    expires_at: int
    campaign: str = ""
    variant: str = ""
    next_item: str | None = None

    @property
    def course_run(self) -> str:
        course_run: str = self.change["course_run"]
        return course_run


@dataclass(frozen=True, slots=True)
class Learner:
    """One learner's record. ``home_zone`` is the time zone of the enrolment, used while there is no wish;
    ``ahead`` are the deferred messages, as JSON by event id."""

    wishes: Mapping[str, Wish] = field(default_factory=dict)
    consent: Consent = field(default_factory=Consent)
    sendings: tuple[Sending, ...] = ()
    proposals: Mapping[str, Proposal] = field(default_factory=dict)
    home_zone: str | None = None
    ahead: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    @classmethod
    def from_record(cls, record: Mapping[str, Any]) -> Self:
        """The learner of a record made by :meth:`to_record`; an empty mapping gives a new learner."""
        return cls(
            {name: (*record["wishes"][name],) for name in WISHES if name in record.get("wishes", {})},
            Consent.from_record(record),
            tuple(Sending(*values) for values in record.get("sendings", ())),
            {name: Proposal(*values) for name, values in record.get("proposals", {}).items()},
            record.get("home_zone"),
            record.get("ahead", {}),
        )

    def to_record(self) -> dict[str, Any]:
        """The record as JSON data; empty parts are left out."""
        record: dict[str, Any] = {
            "wishes": {name: list(wish) for name, wish in sorted(self.wishes.items())},
            **self.consent.to_record(),
            "sendings": [list(_SENDING_VALUES(sending)) for sending in self.sendings],
            "proposals": {
                nudge_id: [getattr(proposal, name) for name in Proposal.__slots__]
                for nudge_id, proposal in sorted(self.proposals.items())
            },
            "home_zone": self.home_zone,
            "ahead": {event: dict(wish) for event, wish in sorted(self.ahead.items())},
        }
        return {name: value for name, value in record.items() if value}

    def wish(self, name: str) -> Any:
        """The newest value of a wish, None if there is none."""
        return self.wishes[name][2] if name in self.wishes else None

    @property
    def zone(self) -> str | None:
        """The name of the learner's time zone, where it is known."""
        return self.wish("timezone") or self.home_zone

    def closed(self, channel: str) -> bool:
        """Whether the learner has closed a channel."""
        return self.consent.is_opted_out(channel)

    def pending(self, now: int) -> tuple[Sending, ...]:
        """The planned nudges that are to be sent after ``now`` (epoch seconds)."""
        return tuple(sending for sending in self.sendings if sending.send_at > now and sending.campaign)

    def plan(self, sending: Sending) -> Self:
        """The learner with this message added, in place of one with the same id."""
        others = [planned for planned in self.sendings if planned.message_id != sending.message_id]
        return replace(self, sendings=tuple(sorted([*others, sending])))

    def expired_proposals(self, now: int) -> dict[str, Proposal]:
        """The proposals that nobody answered in time, by nudge id."""
        return {
            nudge_id: proposal for nudge_id, proposal in self.proposals.items() if proposal.expires_at <= now
        }

    def forget(self, now: int) -> Self:
        """The learner without messages too old for any cap, and without expired proposals."""
        oldest = now - MAX_CAP_DAYS * DAY_S
        sendings = tuple(sending for sending in self.sendings if sending.send_at > oldest)
        proposals = {
            nudge_id: proposal for nudge_id, proposal in self.proposals.items() if proposal.expires_at > now
        }
        if (len(sendings), len(proposals)) == (len(self.sendings), len(self.proposals)):
            return self
        return replace(self, sendings=sendings, proposals=proposals)

    def without(self, message_id: str) -> Self:
        """The learner without the message or proposal of this id."""
        sendings = tuple(sending for sending in self.sendings if sending.message_id != message_id)
        proposals = {key: proposal for key, proposal in self.proposals.items() if key != message_id}
        return replace(self, sendings=sendings, proposals=proposals)

    def defer(self, message: Mapping[str, Any]) -> Self:
        """The learner with a wish that takes effect at its own time and not before."""
        wish = {name: _as_json(value) for name, value in message.items()}
        waiting = {**self.ahead, message["event_id"]: wish}
        earliest = sorted(waiting, key=lambda event_id: (waiting[event_id]["occurred_at"], event_id))[
            :MAX_WAITING_WISHES
        ]
        return replace(self, ahead={event_id: waiting[event_id] for event_id in earliest})

    def pop_due_wishes(self, now: int) -> tuple[Self, list[Mapping[str, Any]]]:
        """The learner without the deferred wishes that are due, and these in order of time."""
        due = [wish for wish in self.ahead.values() if wish["occurred_at"] <= now]
        if not due:
            return self, []
        later = {event_id: wish for event_id, wish in self.ahead.items() if wish["occurred_at"] > now}
        return replace(self, ahead=later), sorted(
            due, key=lambda wish: (wish["occurred_at"], wish["event_id"])
        )

    def joined_with(self, other: "Learner") -> Self:
        """The learner with what is known of another account of theirs, which has no proposals.

        Messages count for the caps whichever account they reached; of each wish the newest holds, and of what
        closes channels the strictest.
        """
        wishes = dict(other.wishes)
        for name, wish in self.wishes.items():
            if name not in wishes or wish[:2] >= wishes[name][:2]:
                wishes[name] = wish
        sendings = {sending.message_id: sending for sending in (*other.sendings, *self.sendings)}
        joined = replace(
            self,
            wishes=wishes,
            consent=self.consent.joined_with(other.consent),
            sendings=tuple(sorted(sendings.values())),
            home_zone=self.home_zone or other.home_zone,
        )
        for deferred in other.ahead.values():
            joined = joined.defer(deferred)
        return joined

    def in_renamed_run(self, old: str, new: str) -> Self:
        """The learner with another name of a course run in what was sent and proposed."""
        sendings = tuple(
            sorted(
                replace(sending, course_run=new) if sending.course_run == old else sending
                for sending in self.sendings
            )
        )
        proposals = {
            nudge_id: replace(proposal, change=proposal.change | {"course_run": new})
            if proposal.course_run == old
            else proposal
            for nudge_id, proposal in self.proposals.items()
        }
        return replace(self, sendings=sendings, proposals=proposals)

    def propose(self, nudge_id: str, proposal: Proposal) -> Self:
        """The learner with this proposal added."""
        return replace(self, proposals={**self.proposals, nudge_id: proposal})


def is_contact_wish(message: Mapping[str, Any]) -> bool:
    """Whether a message states how the learner wants to be contacted."""
    return message["type"] == "preferences" or message.get("kind") == "unsubscribed"


def update_learner(learner: Learner, message: Mapping[str, Any]) -> Learner:
    """The learner after a message: preferences, feedback, or an enrolment, which may name a time zone."""
    match message["type"]:
        case "preferences":
            return _with_wishes(learner, message)
        case "feedback" if message["kind"] == "unsubscribed":
            return _with_unsubscription(learner, message)
        case "feedback" if message["kind"] in ("sent", "delivered"):
            return _with_sending(learner, message)
        case "enrolled" if message.get("timezone") and learner.home_zone is None:
            return replace(learner, home_zone=message["timezone"])
    return learner


def _with_wishes(learner: Learner, message: Mapping[str, Any]) -> Learner:
    occurred_at, event_id = _occurred_at(message), message["event_id"]
    wishes = dict(learner.wishes)
    for name in WISHES:
        newest = wishes.get(name)
        if name in message and (newest is None or (occurred_at, event_id) > newest[:2]):
            wishes[name] = (occurred_at, event_id, _as_json(message[name]))
    return replace(learner, wishes=wishes, consent=learner.consent.after_preferences(message))


def _as_json(value: Any) -> Any:
    """A wish's value for JSON: datetimes as epoch seconds, lists sorted."""
    if hasattr(value, "timestamp"):
        return int(value.timestamp())
    return sorted(value) if isinstance(value, list) else value


def _with_unsubscription(learner: Learner, message: Mapping[str, Any]) -> Learner:
    """The learner with a channel closed: the one named, else the nudge's, else all."""
    channel = message.get("channel") or _channel_of_nudge(learner, message.get("nudge_id"))
    return replace(learner, consent=learner.consent.after_unsubscription(message, channel))


def _channel_of_nudge(learner: Learner, nudge_id: str | None) -> str:
    return next((sending.channel for sending in learner.sendings if sending.message_id == nudge_id), "")


def _with_sending(learner: Learner, message: Mapping[str, Any]) -> Learner:
    """The learner with a message that reached them, whoever sent it; our own are there already."""
    message_id = message.get("nudge_id") or message["event_id"]
    if any(sending.message_id == message_id for sending in learner.sendings):
        return learner
    if message["kind"] == "delivered" and not message.get("nudge_id"):
        return learner  # it is unknown which message
    return learner.plan(Sending(_occurred_at(message), message_id, message.get("channel") or ""))


def _occurred_at(message: Mapping[str, Any]) -> int:
    seconds: int = _as_json(message["occurred_at"])
    return seconds
