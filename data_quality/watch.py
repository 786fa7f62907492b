"""The watch over sources: tells a broken tracker from learners who fall silent, from counts alone.

Counts come per source, course run, kind and hour. Four *scopes* are watched: a whole source, a kind
of a source, a source's part of a course run, and a kind in that. Each has its own rhythm
(``rhythm``); what moves the others too is not held against it: the other sources for a whole source,
the other runs for a run, the run for its kinds. So Christmas is no outage, and an outage of one
course is not explained by the others.

A scope is *quiet* when so few events were less likely than 1 in 10⁸ by its rhythm, or when a stretch
of hours was so empty. Days without a single event add up, so that a course of a few learners is told too,
later. A source that loses a part of its events falls behind the others of the same runs; where it stands
alone, or all lose alike, what learners do together on a day is torn apart (``companions``). Evidence of
either is summed over days, until it is strong enough. Records have *faults* (repeats, a wrong clock, kinds
that nobody knows, empty fields): a scope is as faulty as its share of them is above its usual one, by the
same measure.

One cause is told once: what a wider scope's alarm explains is not said again of the narrower ones.
While an alarm is open its rhythm learns nothing. It closes on the first day that is ordinary again;
what stays changed for ``ACCEPTED_AFTER`` days is taken for the new rhythm, but never the silence of a
whole run, of which nobody can know anything.
"""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray
from pydantic import JsonValue

from data_quality.alarms import settle, verdict_on
from data_quality.counts import Counts
from data_quality.day import Day
from data_quality.detection import faulty, quiet
from data_quality.expectations import expect
from data_quality.learning import learn
from data_quality.memory import Memory
from schemas.quality import DayQuality


class QualityWatch:
    """Give it every day once, in order. Same counts, same verdicts."""

    def __init__(self, memory: Memory | None = None) -> None:
        self._memory = memory or Memory()

    def close(
        self,
        day: int,
        counts: Mapping[tuple[str, str], Counts],
        phases: Mapping[str, float],
        together: Mapping[str, NDArray[np.int64]] | None = None,
    ) -> DayQuality:
        """The verdicts on a day.

        counts: by source and course run. phases: of the runs that are on, the share gone by; runs that
        are not are left alone, and forgotten. together: by course run, how many learners did what on the same
        day (``companions.Counts``).
        """
        memory = self._memory
        memory.forget(phases)
        counts = {key: one for key, one in counts.items() if key[1] in phases}
        today = Day(day, counts, phases, together or {})
        expect(memory, today)
        found = [*quiet(memory, today), *faulty(memory, today)]
        events = settle(memory, today, found)
        learn(memory, today)
        verdicts = [
            verdict_on(memory, today, scope, problem, seen)
            for scope, problem, seen in found
            if (scope, problem) in memory.alarms
        ]
        return DayQuality.model_construct(verdicts=verdicts, events=events, rhythm=memory.state())

    @classmethod
    def from_state(cls, state: Mapping[str, JsonValue]) -> "QualityWatch":
        """Go on from ``DayQuality.rhythm``. Raises ``ValueError`` where it is not one."""
        return cls(Memory.from_state(state))
