"""What was said a moment ago and is still on its way into the store, so that a click shows at once.

A message goes to a topic, through a worker's checkpoint, into the store: some seconds. Until then the
console overlays what it has sent itself. Not a record of anything: a restart forgets it.
"""

import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from console.models import Word

KEPT_S = 120.0
"""Longer than a checkpoint takes; then whatever the store says holds."""


@dataclass(frozen=True, slots=True)
class Sent:
    """One word on its way, of whom, and when it was sent by the process's own clock."""

    learner: str
    word: Word
    at: float


class Recent:
    """The words of the last two minutes. Thread-safe."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._sent: list[Sent] = []

    def add(self, learner: str, word: Word) -> None:
        """Remember a word that the broker has."""
        with self._lock:
            self._forget()
            self._sent.append(Sent(learner, word, self._clock()))

    def of(self, learner: str, course_run: str, arrived: Iterable[Word] = ()) -> list[Word]:
        """Words on a learner in a run that are not among those that have arrived; the newest first."""
        there = {(word.kind, int(word.at.timestamp()), word.nudge_id) for word in arrived}
        with self._lock:
            self._forget()
            return [
                sent.word
                for sent in reversed(self._sent)
                if sent.learner == learner
                and sent.word.course_run == course_run
                and (sent.word.kind, int(sent.word.at.timestamp()), sent.word.nudge_id) not in there
            ]

    def verdicts(self) -> dict[str, str]:
        """Nudge → approved or declined, a moment ago."""
        with self._lock:
            self._forget()
            return {
                sent.word.nudge_id: sent.word.kind
                for sent in self._sent
                if sent.word.nudge_id and sent.word.kind in ("approved", "declined")
            }

    def _forget(self) -> None:
        since = self._clock() - KEPT_S
        self._sent = [sent for sent in self._sent if sent.at > since]
