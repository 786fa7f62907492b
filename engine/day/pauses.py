"""Pauses of enrolments: days on which nothing is expected of a learner.

A pause is an attribute of its enrolment, a row of its own that most do not have. Its days are taken out of a
silence as those are on which a tracker was broken, only that they are one learner's and not a run's.
"""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.batch.decoding import Message
from engine.state.partition_state import PartitionState
from features.compute import days_between
from features.coursework import Run
from features.dates import NO_DATE, Span, day_after
from features.ring import Ints, last_active
from schemas.fields import DAY_S

MAX_PAUSES = 100
"""Most pauses of an enrolment; beyond it, the ones that began first are dropped."""


def apply_pause(state: PartitionState, slot: int, fact: Message) -> None:
    """Apply a pause; of those with the same begin, the newest holds."""
    attributes = state.attributes.get(slot, {})
    pauses = {begin: (until, time) for begin, until, time in attributes.get("pauses", ())}
    if fact["time"] < pauses.get(fact["from"], (None, 0))[1]:
        return
    pauses[fact["from"]] = fact["until"], fact["time"]
    newest = sorted(pauses.items())[-MAX_PAUSES:]
    stored = [[begin, until, time] for begin, (until, time) in newest]
    state.set_attributes(slot, attributes | {"pauses": stored})


def is_over(fact: Message, moment: float) -> bool:
    """Whether a pause ends by a moment, epoch seconds, or is taken back."""
    until = fact["until"]
    return until is not None and until <= max(moment, fact["from"])


def pauses_of(attributes: Mapping[str, Any]) -> list[Span]:
    """The pauses of an enrolment, each as its first day and the first day after it, in order."""
    return sorted(
        (begin // DAY_S, NO_DATE if until is None else day_after(until))
        for begin, until, _ in attributes.get("pauses", ())
        if until is None or until > begin
    )


def _with_pauses(state: PartitionState, slots: Ints) -> Iterator[tuple[int, list[Span]]]:
    """The positions in ``slots`` of those who have pauses, with them."""
    for position, slot in enumerate(slots.tolist() if state.attributes else []):
        attributes = state.attributes.get(slot, {})
        if "pauses" in attributes:
            yield position, pauses_of(attributes)


def is_paused(state: PartitionState, slots: Ints, day: int) -> NDArray[np.bool_]:
    """Which enrolments pause on a day, [n]."""
    paused = np.zeros(len(slots), bool)
    for position, spans in _with_pauses(state, slots):
        paused[position] = any(since <= day < until for since, until in spans)
    return paused


def paused_days(state: PartitionState, slots: Ints, day: int) -> dict[int, Ints]:
    """The days before ``day`` on which enrolments paused, ascending, by their position in ``slots``.

    Enrolments without any are left out.
    """
    by_position: dict[int, Ints] = {}
    for position, spans in _with_pauses(state, slots):
        days = [np.arange(since, min(until, day)) for since, until in spans if since < day]
        if days:
            by_position[position] = np.unique(np.concatenate(days)).astype(np.int64)
    return by_position


def unobserved_between(state: PartitionState, run: Run, slots: Ints, since: Ints, until: int) -> Ints:
    """How many days in [since, until) are no silence of an enrolment of a run, [n].

    On these the run's tracker was broken, or the learner paused.
    """
    gaps = state.unobserved_days.of_run(run.name).days
    counts = days_between(gaps, since, until)
    for position, days in paused_days(state, slots, until).items():
        counts[position] = days_between(np.union1d(gaps, days), since[position : position + 1], until)[0]
    return counts


def last_active_adjusted(state: PartitionState, run: Run, slots: Ints, end: int, today: int) -> Ints:
    """The last active day as of the end of ``today``, plus the days up to ``end`` that are no silence, [n].

    So silence counts observed days only. Far below zero where there was no activity.
    """
    last = last_active(state.rows, slots, today + 1)
    return last + unobserved_between(state, run, slots, last + 1, end)
