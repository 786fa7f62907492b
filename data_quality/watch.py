"""The watch over sources: distinguishes a broken tracker from learners who fall silent, by counts alone.

Counts are per source, course run, kind and hour. Four kinds of *scopes* are watched: a whole source, a kind
of a source, a source's part of a course run, and a kind in that. Each has its own rhythm (``rhythm``).
Movements that a scope shares with its peers are taken out: the other sources for a whole source, the other
runs for a run, the run for its kinds. So Christmas is no outage, and the outage of one course is not hidden
by the others.

A scope is *quiet* if so few events are less likely than 1 in 10⁸ by its rhythm, or if a stretch of hours is
that empty. Days without any event add up, so that a course of a few learners raises an alarm too, later. A
source that loses a part of its events falls behind the others of the same runs. If it is the only one, or all
lose alike, the co-occurrence of kinds on a learner's day falls (``companions``). Evidence of either is summed
over days until it is strong enough. Records have *faults* (duplicates, a wrong clock, unknown kinds, empty
fields): the surprise of a fault is by how far its share is above the usual one.

One cause raises one alarm: what a wider scope's alarm explains raises none for narrower scopes. While an
alarm is open, its scope's rhythm is not updated. It closes on the first ordinary day. A change that lasts for
``ACCEPTED_AFTER`` days is accepted as the new rhythm, except the silence of a whole run.
"""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray
from pydantic import JsonValue

from data_quality.alarms import update_alarms, verdict_on
from data_quality.counts import Counts
from data_quality.day import Day
from data_quality.detection import find_faulty, find_quiet
from data_quality.expectations import expect
from data_quality.learning import learn
from data_quality.memory import Memory
from schemas.quality import DayQuality


class QualityWatch:
    """Evaluates every day once, in order. Deterministic: the same counts give the same verdicts."""

    def __init__(self, memory: Memory | None = None) -> None:
        self._memory = memory or Memory()

    def close(
        self,
        day: int,
        counts: Mapping[tuple[str, str], Counts],
        phases: Mapping[str, float],
        together: Mapping[str, NDArray[np.int64]] | None = None,
    ) -> DayQuality:
        """The verdicts on an epoch day.

        counts: by source and course run. phases: elapsed share of the runs that are under way; all other runs
        are ignored, and their histories removed. together: by course run, co-occurrence of kinds
        (``companions.Counts``).
        """
        memory = self._memory
        memory.forget(phases)
        counts = {key: run_counts for key, run_counts in counts.items() if key[1] in phases}
        today = Day(day, counts, phases, together or {})
        expect(memory, today)
        findings = [*find_quiet(memory, today), *find_faulty(memory, today)]
        events = update_alarms(memory, today, findings)
        learn(memory, today)
        verdicts = [
            verdict_on(memory, today, scope, problem, finding)
            for scope, problem, finding in findings
            if (scope, problem) in memory.alarms
        ]
        return DayQuality.model_construct(verdicts=verdicts, events=events, rhythm=memory.state())

    @classmethod
    def from_state(cls, state: Mapping[str, JsonValue]) -> "QualityWatch":
        """Restore from ``DayQuality.rhythm``.

        Raises:
            ValueError: the structure is another.
        """
        return cls(Memory.from_state(state))
