"""A run's messages in event-time order: calendar, registrations, the days' events, and the ends."""

from collections.abc import Iterator
from dataclasses import dataclass
from math import expm1
from typing import Any
from zlib import crc32

import numpy as np
import orjson

from sources.simulation import engagement, sessions
from sources.simulation.cohort import FAIL, NEVER, OUTCOMES, ZONES, Cohort, Ints
from sources.simulation.engagement import Today
from sources.simulation.plan import FIRST_DAY, Draws, Run
from sources.stream import DAY, Published, broadcast, instant, keyed

SOURCE = "simulator"
CLOCK = [f"T{s // 3600:02}:{s // 60 % 60:02}:{s % 60:02}Z" for s in range(DAY)]
"""The rest of an RFC 3339 instant for each second of a day: formatting once, not per event."""

WITHDRAWN_AT, COMPLETED_AT = 20 * 3600, 21 * 3600
CONTENT_OF_A_COURSE = 350.0
"""Content clicks after which 63 % of a course has been seen: what `progress` reports."""
ENROLLED_FROM, ENROLLED_FOR = 7 * 3600, 12 * 3600


def of_run(
    run: Run,
    cohort: Cohort,
    draws: Draws,
    single_clicks: bool,
    trackers: tuple[str, ...] = (SOURCE,),
    lived: Iterator[Today] | None = None,
) -> Iterator[Published]:
    """Everything about one run, in order of time.

    ``lived`` are the days from the platform's opening on, where they do not follow from the cohort alone.
    Each is taken, and the cohort's fates are read, when the messages of the day before have been.
    """
    learners = learner_ids(run)
    habits = [crc32(learner.encode()) for learner in learners]
    yield _calendar(run)
    registered = _by_day(cohort.registered)
    lived = lived or engagement.days(run, cohort, draws)
    progress = np.zeros(run.learners).tolist()
    for day in range(FIRST_DAY, run.days):
        messages = list(_enrolments(run, cohort, learners, registered.get(day, []), day))
        if day >= engagement.STUDY_FROM:
            # The day's second generator: engagement has taken its numbers from the first.
            rng = draws.day(day).spawn(1)[0]
            events = sessions.of_day(run, cohort, next(lived), rng, single_clicks)
            messages += _activity(run, learners, progress, day, events, _Trackers(trackers, habits))
        withdrawn = np.flatnonzero(cohort.withdrawn == day).tolist()
        messages += _withdrawals(run, learners, withdrawn, day)
        messages.sort(key=lambda message: message.occurred_at)
        yield from messages
    yield from _results(run, cohort, learners)


@dataclass(frozen=True, slots=True)
class _Trackers:
    """Which source sees a learner on a day: the learner's own, and on one day in eight another."""

    names: tuple[str, ...]
    habits: list[int]

    def of(self, place: int, day: int) -> str:
        habit = self.habits[place]
        away = (habit // 64 + day * 37) % 8 == 0
        return self.names[(habit + away) % len(self.names)]


def learner_ids(run: Run) -> list[str]:
    """Learner ids [n] of a run: numbers that say nothing of the fate."""
    return [f"sim-{run.course}-{run.name}-{place:06}" for place in range(run.learners)]


def _by_day(days: Ints) -> dict[int, list[int]]:
    places: dict[int, list[int]] = {}
    for place, day in enumerate(days.tolist()):
        if day < NEVER:
            places.setdefault(day, []).append(place)
    return places


def _calendar(run: Run) -> Published:
    due = run.deadlines
    at = (run.starts_on + FIRST_DAY) * DAY
    message = {
        "type": "calendar",
        "event_id": f"{run.course_run}/calendar",
        "course": run.course,
        "course_run": run.course_run,
        "starts_at": instant(run.starts_on * DAY),
        "ends_at": instant((run.starts_on + run.days) * DAY),
        "deadlines": [
            {
                "assessment": _assessment(place),
                "due_at": instant((run.starts_on + day + 1) * DAY),
                "weight": round(1 / len(due), 4),
            }
            for place, day in enumerate(due)
        ],
        "source": SOURCE,
    }
    return broadcast(message, at)


def _assessment(place: int) -> str:
    return f"assessment-{place + 1}"


def _fact(run: Run, kind: str, learner: str, at: int, **more: Any) -> Published:
    message = {
        "type": kind,
        "event_id": f"{run.course_run}/{kind[0]}/{learner}",
        "learner": learner,
        "course_run": run.course_run,
        **more,
        "source": SOURCE,
    }
    return keyed(message, at)


def _enrolments(
    run: Run, cohort: Cohort, learners: list[str], places: list[int], day: int
) -> Iterator[Published]:
    for nth, place in enumerate(places):
        at = (run.starts_on + day) * DAY + ENROLLED_FROM + nth * ENROLLED_FOR // len(places)
        yield _fact(run, "enrolled", learners[place], at, timezone=ZONES[cohort.zone[place]][0])


def _withdrawals(run: Run, learners: list[str], places: list[int], day: int) -> Iterator[Published]:
    for place in places:
        yield _fact(run, "withdrawn", learners[place], (run.starts_on + day) * DAY + WITHDRAWN_AT)


def _results(run: Run, cohort: Cohort, learners: list[str]) -> Iterator[Published]:
    at = (run.starts_on + run.days) * DAY + COMPLETED_AT
    for learner, outcome in zip(learners, cohort.outcome.tolist(), strict=True):
        if outcome <= FAIL:
            yield _fact(run, "completed", learner, at, result=OUTCOMES[outcome])


def _activity(
    run: Run,
    learners: list[str],
    progress: list[float],
    day: int,
    events: sessions.Events,
    trackers: "_Trackers",
) -> Iterator[Published]:
    """Messages of a day's events; `progress` [n] counts content clicks and is moved on."""
    midnight = (run.starts_on + day) * DAY
    date = instant(midnight)[:10]
    course_run, dumps = run.course_run, orjson.dumps
    ids = f"{course_run}/{run.starts_on + day}/"
    rows = zip(*(column.tolist() for column in events), strict=True)
    for nth, (at, place, kind, thing, count, duration, session, score) in enumerate(rows):
        learner = learners[place]
        message: dict[str, Any] = {
            "type": "activity",
            "event_id": f"{ids}{nth}",
            "learner": learner,
            "course_run": course_run,
            "kind": "submission" if kind < 0 else sessions.KINDS[kind],
            "occurred_at": date + CLOCK[at],
            "object": _assessment(thing) if kind < 0 else f"{sessions.KINDS[kind]}-{thing}",
            "duration_s": duration,
            "session": f"{place}-{day}-{session}",
            "count": count,
            "source": trackers.of(place, day),
        }
        if kind < 0:
            message["score"] = score
        elif kind == sessions.CONTENT:
            progress[place] += count
            message["progress"] = round(-expm1(-progress[place] / CONTENT_OF_A_COURSE), 3)
        yield Published(learner, dumps(message), False, midnight + at)
