"""A run's messages in event-time order: calendar, enrolments, daily activity, withdrawals and results."""

from collections.abc import Iterator
from dataclasses import dataclass
from math import expm1
from typing import Any
from zlib import crc32

import numpy as np
import orjson

from sources.simulation import engagement, sessions
from sources.simulation.cohort import FAIL, NEVER, OUTCOMES, ZONES, Cohort, Ints
from sources.simulation.engagement import SimulatedDay
from sources.simulation.plan import FIRST_DAY, Run, RunGenerators
from sources.stream import DAY, SourceMessage, broadcast, instant, keyed

SOURCE = "simulator"
CLOCK = [f"T{s // 3600:02}:{s // 60 % 60:02}:{s % 60:02}Z" for s in range(DAY)]
"""The time part of RFC 3339 for each second of a day: formatted once, not per event."""

WITHDRAWN_AT, COMPLETED_AT = 20 * 3600, 21 * 3600
CONTENT_OF_A_COURSE = 350.0
"""Content clicks after which `progress` is 63 %."""
ENROLLED_FROM, ENROLLED_FOR = 7 * 3600, 12 * 3600


def of_run(
    run: Run,
    cohort: Cohort,
    draws: RunGenerators,
    single_clicks: bool,
    trackers: tuple[str, ...] = (SOURCE,),
    simulated_days: Iterator[SimulatedDay] | None = None,
) -> Iterator[SourceMessage]:
    """All messages of one run, in event-time order.

    ``simulated_days``: the days from the platform's opening on, where they do not follow from the cohort
    alone. A day is requested, and the cohort read, once the messages of the day before are consumed.
    """
    learners = learner_ids(run)
    habits = [crc32(learner.encode()) for learner in learners]
    yield _calendar(run)
    registered = _by_day(cohort.registered)
    simulated_days = simulated_days or engagement.days(run, cohort, draws)
    progress = np.zeros(run.learners).tolist()
    for day in range(FIRST_DAY, run.days):
        messages = list(_enrolments(run, cohort, learners, registered.get(day, []), day))
        if day >= engagement.STUDY_FROM:
            # The day's second generator: engagement uses the first.
            rng = draws.day(day).spawn(1)[0]
            events = sessions.of_day(run, cohort, next(simulated_days), rng, single_clicks)
            messages += _activity(run, learners, progress, day, events, _Trackers(trackers, habits))
        withdrawn = np.flatnonzero(cohort.withdrawn == day).tolist()
        messages += _withdrawals(run, learners, withdrawn, day)
        if run.pace_weeks is not None:
            messages += _passes(run, cohort, learners, day)
        messages.sort(key=lambda message: message.occurred_at)
        yield from messages
    if run.pace_weeks is None:
        yield from _results(run, cohort, learners)


@dataclass(frozen=True, slots=True)
class _Trackers:
    """The source that a learner uses on a day: the learner's own, and on one day in eight another."""

    names: tuple[str, ...]
    habits: list[int]

    def of(self, index: int, day: int) -> str:
        habit = self.habits[index]
        uses_other = (habit // 64 + day * 37) % 8 == 0
        return self.names[(habit + uses_other) % len(self.names)]


def learner_ids(run: Run) -> list[str]:
    """Learner ids [n] of a run: numbers that reveal nothing of the outcome."""
    return [f"sim-{run.course}-{run.name}-{index:06}" for index in range(run.learners)]


def _by_day(days: Ints) -> dict[int, list[int]]:
    indices: dict[int, list[int]] = {}
    for index, day in enumerate(days.tolist()):
        if day < NEVER:
            indices.setdefault(day, []).append(index)
    return indices


def _calendar(run: Run) -> SourceMessage:
    due = run.deadlines
    timestamp = (run.starts_on + FIRST_DAY) * DAY
    message: dict[str, Any] = {
        "type": "calendar",
        "event_id": f"{run.course_run}/calendar",
        "course": run.course,
        "course_run": run.course_run,
        "starts_at": instant(run.starts_on * DAY),
        "ends_at": instant((run.starts_on + run.days) * DAY),
        "deadlines": [
            {
                "assessment": _assessment(index),
                "due_at": instant((run.starts_on + day + 1) * DAY),
                "weight": round(1 / len(due), 4),
            }
            for index, day in enumerate(due)
        ],
        "source": SOURCE,
    }
    if run.pace_weeks is not None:
        del message["ends_at"]
        for deadline, day in zip(message["deadlines"], due, strict=True):
            del deadline["due_at"]
            deadline["due_after_days"] = day
    return broadcast(message, timestamp)


def _assessment(index: int) -> str:
    return f"assessment-{index + 1}"


def _fact(run: Run, kind: str, learner: str, timestamp: int, **more: Any) -> SourceMessage:
    message = {
        "type": kind,
        "event_id": f"{run.course_run}/{kind[0]}/{learner}",
        "learner": learner,
        "course_run": run.course_run,
        **more,
        "source": SOURCE,
    }
    return keyed(message, timestamp)


def _enrolments(
    run: Run, cohort: Cohort, learners: list[str], indices: list[int], day: int
) -> Iterator[SourceMessage]:
    for nth, index in enumerate(indices):
        timestamp = (run.starts_on + day) * DAY + ENROLLED_FROM + nth * ENROLLED_FOR // len(indices)
        yield _fact(run, "enrolled", learners[index], timestamp, timezone=ZONES[cohort.zone[index]][0])


def _withdrawals(run: Run, learners: list[str], indices: list[int], day: int) -> Iterator[SourceMessage]:
    for index in indices:
        yield _fact(run, "withdrawn", learners[index], (run.starts_on + day) * DAY + WITHDRAWN_AT)


def _passes(run: Run, cohort: Cohort, learners: list[str], day: int) -> Iterator[SourceMessage]:
    """The results of those who come to the end of a self-paced course on a day."""
    done = (cohort.outcome < FAIL) & (cohort.registered + run.own.days == day)
    for index in np.flatnonzero(done).tolist():
        timestamp = (run.starts_on + day) * DAY + COMPLETED_AT
        yield _fact(run, "completed", learners[index], timestamp, result=OUTCOMES[cohort.outcome[index]])


def _results(run: Run, cohort: Cohort, learners: list[str]) -> Iterator[SourceMessage]:
    timestamp = (run.starts_on + run.days) * DAY + COMPLETED_AT
    for learner, outcome in zip(learners, cohort.outcome.tolist(), strict=True):
        if outcome <= FAIL:
            yield _fact(run, "completed", learner, timestamp, result=OUTCOMES[outcome])


def _activity(
    run: Run,
    learners: list[str],
    progress: list[float],
    day: int,
    events: sessions.Events,
    trackers: "_Trackers",
) -> Iterator[SourceMessage]:
    """Messages of a day's events; `progress` [n] counts content clicks and is updated in place."""
    midnight = (run.starts_on + day) * DAY
    date = instant(midnight)[:10]
    course_run, dumps = run.course_run, orjson.dumps
    ids = f"{course_run}/{run.starts_on + day}/"
    rows = zip(*(column.tolist() for column in events), strict=True)
    for nth, (second, index, kind, object_number, count, duration, session, score) in enumerate(rows):
        learner = learners[index]
        message: dict[str, Any] = {
            "type": "activity",
            "event_id": f"{ids}{nth}",
            "learner": learner,
            "course_run": course_run,
            "kind": "submission" if kind < 0 else sessions.KINDS[kind],
            "occurred_at": date + CLOCK[second],
            "object": _assessment(object_number) if kind < 0 else f"{sessions.KINDS[kind]}-{object_number}",
            "duration_s": duration,
            "session": f"{index}-{day}-{session}",
            "count": count,
            "source": trackers.of(index, day),
        }
        if kind < 0:
            message["score"] = score
        elif kind == sessions.CONTENT:
            progress[index] += count
            message["progress"] = round(-expm1(-progress[index] / CONTENT_OF_A_COURSE), 3)
        yield SourceMessage(learner, dumps(message), False, midnight + second)
