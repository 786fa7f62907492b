"""What to simulate: course runs with their learners, lengths and starts, and the granularity of clicks."""

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import Literal
from zlib import crc32

import numpy as np

from sources.stream import DAY

OULAD_DAYS = 240
"""Length of the presentations behind the marginals; times are scaled to other lengths."""

LEAST_WEEKS = 4
FIRST_DAY = -42
"""Day of a run, relative to its start, on which registration opens and its calendar is published."""

Detail = Literal["clicks", "sessions"]

Shift = Literal[
    "behaviour",  # learners are less active, with fewer clicks: a platform that was redesigned
    "outcomes",  # failing learners are as busy and diligent as passing ones were, and vice versa
]
"""A distribution shift of the runs that start late."""


@dataclass(frozen=True, slots=True)
class Run:
    """One run of a course; names as in the contract, `starts_on` an event day (UTC, since 1970).

    With `pace_weeks` it is self-paced: it has no end, learners come on any day of its `weeks`, and the course
    takes each of them so many weeks (:mod:`sources.simulation.self_paced`).
    """

    course: str
    name: str
    starts_on: int
    weeks: int
    learners: int
    pace_weeks: int | None = None

    @property
    def course_run(self) -> str:
        return f"{self.course}/{self.name}"

    @property
    def days(self) -> int:
        return 7 * self.weeks

    @property
    def own(self) -> "Run":
        """The course as one learner of a self-paced run goes through it, on their own clock."""
        return self if self.pace_weeks is None else replace(self, weeks=self.pace_weeks, pace_weeks=None)

    @property
    def deadlines(self) -> tuple[int, ...]:
        """Days of the run (relative) on which assessed work is due, at the end of the day.

        Of a self-paced run they are days of each learner's own clock.

        About one in four weeks; the last third belong to tests that are open all term and are due close
        together near the end.
        """
        days = self.own.days
        count = max(3, round(9 * days / OULAD_DAYS))
        tests = count // 3
        essays = np.linspace(0.1, 0.86, count - tests)
        return tuple(int(share * days) for share in (*essays, *np.linspace(0.9, 0.95, tests)))


@dataclass(frozen=True, slots=True)
class SimulationPlan:
    """Runs, a seed, and the granularity of clicks. Equal plans give equal bytes.

    `detail` is ``clicks`` (one event per click, about 22 an active day, as a platform's log has them)
    or ``sessions`` (one event per kind and session with its `count`, about 5 an active day).
    `until` is the event day at whose start the stream ends, so that a run can stop in its middle.
    `trackers` are the sources of the activity; each learner mostly uses one, by the learner's hash.
    `shift` applies to runs that start on event day `shifts_on` or later.
    """

    runs: tuple[Run, ...]
    seed: int = 1
    detail: Detail = "sessions"
    until: int | None = None
    trackers: tuple[str, ...] = ("simulator",)
    shift: Shift | None = None
    shifts_on: int = 0

    def __post_init__(self) -> None:
        """Check the fields.

        Raises:
            ValueError: a field is invalid; the message names it, its value and what was expected.
        """
        if not self.runs:
            raise ValueError("runs: (), expected at least one run")
        names = [run.course_run for run in self.runs]
        if len(set(names)) < len(names):
            raise ValueError(f"runs: {names}, expected each course and run once")
        for run in self.runs:
            if min(run.weeks, run.own.weeks) < LEAST_WEEKS or run.learners < 1:
                raise ValueError(f"runs: {run}, expected weeks ≥ {LEAST_WEEKS} and learners ≥ 1")
        if self.detail not in ("clicks", "sessions"):
            raise ValueError(f"detail: {self.detail!r}, expected 'clicks' or 'sessions'")
        if not self.trackers:
            raise ValueError("trackers: (), expected at least one name")

    def shift_of(self, run: Run) -> Shift | None:
        """The distribution shift of a run, if it has one."""
        return self.shift if run.starts_on >= self.shifts_on else None

    @classmethod
    def term(
        cls,
        learners: int = 3_000,
        *,
        courses: int = 2,
        weeks: int = 20,
        seed: int = 1,
        starts_at: datetime = datetime(2026, 2, 2, tzinfo=UTC),
        past: float = 0.4,
        elapsed: float = 1.0,
        detail: Detail = "sessions",
    ) -> "SimulationPlan":
        """A plan in which every course has a past run, to learn from, and a present run, to estimate.

        A share `past` of the learners is in the past runs. These end two weeks after the present ones
        start (at `starts_at`), so outcomes are known early in the present run; courses start a week
        apart. The stream ends when a share `elapsed` of the last present run is over.

        Raises:
            ValueError: a share is outside (0, 1], the runs are too short, or there are fewer learners
                than runs.
        """
        if not (0 < past < 1 and 0 < elapsed <= 1):
            raise ValueError(f"past, elapsed: {past}, {elapsed}, expected shares above 0 and up to 1")
        if learners < 2 * courses or courses < 1:
            raise ValueError(f"learners: {learners}, expected at least two for each of {courses} courses")
        if weeks < LEAST_WEEKS:
            raise ValueError(f"weeks: {weeks}, expected at least {LEAST_WEEKS}")
        start = int(starts_at.timestamp()) // DAY
        sizes = _shares(round(learners * past), courses), _shares(learners - round(learners * past), courses)
        runs = []
        for number in range(courses):
            course, begins = f"course-{chr(97 + number % 26)}{number // 26 or ''}", start + 7 * number
            for size, shift in ((sizes[0][number], -7 * (weeks - 2)), (sizes[1][number], 0)):
                day = begins + shift
                runs.append(Run(course, _run_name(day), day, weeks, max(1, size)))
        last = start + 7 * (courses - 1)
        until = None if elapsed == 1 else last + round(elapsed * 7 * weeks)
        return cls(tuple(runs), seed, detail, until)

    @classmethod
    def self_paced(
        cls,
        learners: int = 1_000,
        *,
        weeks: int = 52,
        pace_weeks: int = 12,
        seed: int = 1,
        starts_at: datetime = datetime(2026, 2, 2, tzinfo=UTC),
        detail: Detail = "sessions",
    ) -> "SimulationPlan":
        """A plan of one self-paced run that is open for so many weeks, for a course of `pace_weeks`."""
        day = int(starts_at.timestamp()) // DAY
        return cls((Run("course-s", _run_name(day), day, weeks, learners, pace_weeks),), seed, detail)


@dataclass(frozen=True)
class RunGenerators:
    """Independent random generators of one run: for its cohort, its responses and each day.

    A day's numbers depend on seed, run and day alone, so a stream that is cut short is a prefix of the
    longer one, and a run does not depend on the other runs of the plan.
    """

    seed: int
    run: Run

    def cohort(self) -> np.random.Generator:
        return np.random.default_rng([self.seed, self._run, 0])

    def day(self, day: int) -> np.random.Generator:
        return np.random.default_rng([self.seed, self._run, 1 + day - FIRST_DAY])

    def responses(self) -> np.random.Generator:
        """For the responses to nudges: separate, so that they do not change the cohort."""
        return np.random.default_rng([self.seed, self._run, 0, 1])

    def starts(self) -> np.random.Generator:
        """For the days on which the learners of a self-paced run begin."""
        return np.random.default_rng([self.seed, self._run, 0, 2])

    @cached_property
    def _run(self) -> int:
        return crc32(self.run.course_run.encode())


def _shares(total: int, parts: int) -> list[int]:
    return [total // parts + (index < total % parts) for index in range(parts)]


def _run_name(day: int) -> str:
    return (datetime.fromtimestamp(0, UTC) + timedelta(days=day)).strftime("%Y-%m-%d")
