"""A partition that decides on one learner's logs, through crashes, and what it sent."""

from dataclasses import dataclass, field
from random import Random

import orjson

from benchmarks.guards.counts import Audit
from benchmarks.guards.lives import HOUR, POLICY, START, Life, event_time
from nudges.decisions import decide
from nudges.learners import Learner
from nudges.ledger import DecisionResult
from nudges.messages import apply_message
from schemas.nudge import Nudge, NudgeCancelled


@dataclass(frozen=True)
class SentMessage:
    """A message that left, and how many messages had been read when it was decided."""

    messages_read: int
    message: Nudge | NudgeCancelled


@dataclass
class Partition:
    """One learner's part of a partition, from the first record to the last, through its crashes."""

    life: Life
    draw: Random
    audit: Audit
    learner: Learner = field(default_factory=Learner)
    changes: int = 0
    messages_read: int = 0
    at_once: bool = False
    sent: list[SentMessage] = field(default_factory=list)
    read_at: dict[int, int] = field(default_factory=dict)
    """The newest event time known when each message was read, in the life that lasted."""

    def run(self) -> None:
        """Read both logs to their ends."""
        safe, waiting = self._checkpoint(), list[SentMessage]()
        while not self._done:
            decided = self._step()
            if self.at_once:
                self.sent += [
                    one for one in decided if one.message not in [sent.message for sent in self.sent]
                ]
            else:
                waiting += decided
            fate = self.draw.random()
            if fate < 0.2 or self._done:
                safe = self._checkpoint()
                self.sent += waiting
                waiting = []
            elif fate < 0.25:
                self.audit.crashes += 1
                record, self.changes, self.messages_read = orjson.loads(safe)
                self.learner, waiting = Learner.from_record(record), []

    @property
    def _done(self) -> bool:
        return (self.changes, self.messages_read) == (len(self.life.changes), len(self.life.messages))

    def _checkpoint(self) -> bytes:
        return orjson.dumps([self.learner.to_record(), self.changes, self.messages_read])

    def _step(self) -> list[SentMessage]:
        """Apply the next record of one log or the other; the logs' readers drift by some hours."""
        changes, messages = self.life.changes, self.life.messages
        drift = self.draw.randrange(-3 * HOUR, 3 * HOUR)
        reads_message = self.messages_read < len(messages) and (
            self.changes == len(changes)
            or messages[self.messages_read][0] + drift <= changes[self.changes][0]
        )
        done = self._read_message() if reads_message else self._decide()
        self.learner = done.learner
        self.audit.decisions += len(done.decisions)
        self.audit.reasons.update(f"{one.decision} {one.reason}" for one in done.decisions)
        return [SentMessage(self.messages_read, message) for message in done.messages]

    def _read_message(self) -> DecisionResult:
        now = self.life.changes[self.changes - 1][0] if self.changes else START
        message = self.life.messages[self.messages_read][1]
        before = self.read_at.get(self.messages_read - 1, START)  # time does not run backwards
        self.read_at[self.messages_read] = max(now, event_time(message), before)
        self.messages_read += 1
        return apply_message(message, self.learner, POLICY, now)

    def _decide(self) -> DecisionResult:
        at, change, situation = self.life.changes[self.changes]
        self.changes += 1
        return decide(change, self.learner, POLICY, at, situation)
