"""Feedback that was sent a moment ago and is not in the store yet, so that a click shows at once.

A message goes to a topic, through a worker's checkpoint, into the store: some seconds. Until then the
console adds what it has sent itself. Nothing is stored: a restart forgets it.
"""

import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from console.models import FeedbackEvent

RETENTION_S = 120.0
"""Longer than a checkpoint takes; afterwards the store is authoritative."""


@dataclass(frozen=True, slots=True)
class SentFeedback:
    """One feedback event, its learner, and when it was sent by the process's monotonic clock."""

    learner: str
    event: FeedbackEvent
    sent_at: float


class RecentFeedback:
    """The feedback of the last two minutes. Thread-safe."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._sent: list[SentFeedback] = []

    def add(self, learner: str, event: FeedbackEvent) -> None:
        """Add an event that the broker has accepted."""
        with self._lock:
            self._forget()
            self._sent.append(SentFeedback(learner, event, self._clock()))

    def pending(
        self, learner: str, course_run: str, arrived: Iterable[FeedbackEvent] = ()
    ) -> list[FeedbackEvent]:
        """Events on a learner in a run that are not among those ``arrived``; the newest first."""
        stored = {(event.kind, int(event.at.timestamp()), event.nudge_id) for event in arrived}
        with self._lock:
            self._forget()
            return [
                sent.event
                for sent in reversed(self._sent)
                if sent.learner == learner
                and sent.event.course_run == course_run
                and (sent.event.kind, int(sent.event.at.timestamp()), sent.event.nudge_id) not in stored
            ]

    def verdicts(self) -> dict[str, str]:
        """Nudge id → ``approved`` or ``declined``, for recent answers to proposals."""
        with self._lock:
            self._forget()
            return {
                sent.event.nudge_id: sent.event.kind
                for sent in self._sent
                if sent.event.nudge_id and sent.event.kind in ("approved", "declined")
            }

    def _forget(self) -> None:
        since = self._clock() - RETENTION_S
        self._sent = [sent for sent in self._sent if sent.sent_at > since]
