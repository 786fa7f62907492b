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
from features.dates import Span
from features.ring import Ints, last_active

MAX_PAUSES = 100
"""Most pauses of an enrolment; beyond it, the ones that began first are dropped."""


def apply_pause(state: PartitionState, slot: int, fact: Message) -> None:
    """Apply a pause; of those with the same begin, the newest holds."""
    attributes = state.attributes.get(slot, {})
    pauses = {pause[0]: pause for pause in attributes.get("pauses", ())}
    if fact["from"] not in pauses or fact["time"] >= pauses[fact["from"]][3]:
        pauses[fact["from"]] = [fact["from"], fact["since_day"], fact["until_day"], fact["time"]]
        newest = [pauses[begin] for begin in sorted(pauses)[-MAX_PAUSES:]]
        state.set_attributes(slot, attributes | {"pauses": newest})


def is_over(fact: Message, day: int) -> bool:
    """Whether a pause ends by the start of a day, or is taken back."""
    over: bool = fact["until_day"] <= max(day, fact["since_day"])
    return over


def pauses_of(attributes: Mapping[str, Any]) -> list[Span]:
    """The pauses of an enrolment, each as its first day and the first day after it, in order."""
    return sorted((since, until) for _, since, until, _ in attributes.get("pauses", ()) if until > since)


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
