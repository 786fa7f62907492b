"""A partition that processes one learner's logs, with crashes, and what it sent."""

from dataclasses import dataclass, field
from random import Random

import orjson

from benchmarks.guards.counts import Audit
from benchmarks.guards.learner_logs import HOUR, POLICY, START, LearnerLogs, event_time
from nudges.decisions import decide
from nudges.learners import Learner
from nudges.ledger import DecisionResult
from nudges.messages import apply_message
from schemas.nudge import Nudge, NudgeCancelled


@dataclass(frozen=True)
class SentMessage:
    """A message that was sent, and how many messages had been read when it was decided."""

    messages_read: int
    message: Nudge | NudgeCancelled


@dataclass
class Partition:
    """One learner's part of a partition, from the first record to the last, with crashes."""

    logs: LearnerLogs
    rng: Random
    audit: Audit
    learner: Learner = field(default_factory=Learner)
    changes: int = 0
    messages_read: int = 0
    at_once: bool = False
    sent: list[SentMessage] = field(default_factory=list)
    read_at: dict[int, int] = field(default_factory=dict)
    """The newest event time when each message was read, for the last time after crashes."""

    def run(self) -> None:
        """Process both logs to their ends."""
        safe, waiting = self._checkpoint(), list[SentMessage]()
        while not self._finished:
            new_messages = self._step()
            if self.at_once:
                self.sent += [
                    sent_message
                    for sent_message in new_messages
                    if sent_message.message not in [earlier.message for earlier in self.sent]
                ]
            else:
                waiting += new_messages
            fate = self.rng.random()
            if fate < 0.2 or self._finished:
                safe = self._checkpoint()
                self.sent += waiting
                waiting = []
            elif fate < 0.25:
                self.audit.crashes += 1
                record, self.changes, self.messages_read = orjson.loads(safe)
                self.learner, waiting = Learner.from_record(record), []

    @property
    def _finished(self) -> bool:
        return (self.changes, self.messages_read) == (len(self.logs.changes), len(self.logs.messages))

    def _checkpoint(self) -> bytes:
        return orjson.dumps([self.learner.to_record(), self.changes, self.messages_read])

    def _step(self) -> list[SentMessage]:
        """Process the next record of one of the logs, whose readers drift apart by some hours."""
        changes, messages = self.logs.changes, self.logs.messages
        drift = self.rng.randrange(-3 * HOUR, 3 * HOUR)
        reads_message = self.messages_read < len(messages) and (
            self.changes == len(changes)
            or messages[self.messages_read][0] + drift <= changes[self.changes][0]
        )
        result = self._read_message() if reads_message else self._decide()
        self.learner = result.learner
        self.audit.decisions += len(result.decisions)
        self.audit.reasons.update(f"{decision.decision} {decision.reason}" for decision in result.decisions)
        return [SentMessage(self.messages_read, message) for message in result.messages]

    def _read_message(self) -> DecisionResult:
        watermark = self.logs.changes[self.changes - 1][0] if self.changes else START
        message = self.logs.messages[self.messages_read][1]
        before = self.read_at.get(self.messages_read - 1, START)  # time does not run backwards
        self.read_at[self.messages_read] = max(watermark, event_time(message), before)
        self.messages_read += 1
        return apply_message(message, self.learner, POLICY, watermark)

    def _decide(self) -> DecisionResult:
        timestamp, change, situation = self.logs.changes[self.changes]
        self.changes += 1
        return decide(change, self.learner, POLICY, timestamp, situation)
