"""OULAD as one time-ordered stream of messages, over all presentations of a folder.

The Open University Learning Analytics Dataset (Kuzilek, Hlosta, Zdrahal, *Scientific Data* 4:170171,
2017, CC BY 4.0) counts whole days from each presentation's start and has no dates. The conversion:

* **Start**: B presentations on 1 February, J on 1 October of their year, so that runs follow each
  other as they did. Day *u* of a presentation is the UTC day start + *u*.
* **Time within a day** is unknown and therefore fixed: calendar 00:00, enrolled 08:00, clicks 12:00,
  submissions 13:00, withdrawn 20:00, completed 21:00.
* **Ids** consist of the presentation and the row's number in it (clicks) or its key (all others):
  exact duplicate rows are separate events, and ids do not depend on which presentations are read.
* **Registration**: a missing day is day −30 (or the day of unregistration, where that is earlier).
* **Unregistration** on day *u* is `withdrawn` at 20:00 of day *u*, so that an estimate for day *u*,
  which uses earlier days only, does not contain it. Clicks and submissions from day *u* on are cut, as
  the learner has left. It ends the enrolment also where the final result is Fail (9 such), but not where
  it is Pass or Distinction: a learner who completed has come back.
* **End**: the last day of the presentation is start + its length. Final results are published that
  evening; so is `withdrawn` for a Withdrawn without a day, or with one after the end, as it was not known
  before. Submissions after that day (up to a year late) are left out, as the run is over.
* **Deadlines** end with their day: due at 00:00 of the day after. Exams without a day are left out.
* **Submissions** carried over from an earlier run (`is_banked`) are skipped.
* **Marks** have no day either, and come with the hand-in. In fact tutors mark the TMAs, which takes weeks;
  with ``marks_after`` days those marks are messages of their own at 14:00, so many days later. What a machine
  marks (CMA) stays with the hand-in. A mark that would come after the learner has left, or after the end, is
  left out.
"""

import heapq
import re
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from itertools import chain
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import orjson
from numpy.typing import NDArray

from sources.oulad_columns import (
    KINDS,
    NEVER,
    UNKNOWN_REGISTRATION,
    Ints,
    Submissions,
    read_roster,
    read_submissions,
)
from sources.oulad_tables import Clicks, OuladError, OuladTables, Presentation, numbers, whole_numbers
from sources.stream import CLOSING_DAYS, DAY, SourceMessage, broadcast, instant, with_ticks

__all__ = ["KINDS", "UNKNOWN_REGISTRATION", "OuladError", "OuladFolder", "Presentation"]

HOUR = 3_600
ENROLLED_AT, CLICKS_AT, SUBMISSIONS_AT, GRADED_AT, WITHDRAWN_AT, COMPLETED_AT = (
    hour * HOUR for hour in (8, 12, 13, 14, 20, 21)
)
TUTOR_MARKED = "TMA"
"""The assessment type of what tutors mark."""

START_MONTHS = {"B": 2, "J": 10}


class Block(NamedTuple):
    """Messages of one presentation with one timestamp: the unit in which presentations are merged."""

    timestamp: int
    course_run: str
    messages: Iterable[SourceMessage]
    """Lazy: a block that waits in the merge holds columns, not messages."""


class OuladFolder:
    """A folder of OULAD tables, with any subset of the presentations, as a stream of messages."""

    def __init__(self, path: Path | str, marks_after: int = 0) -> None:
        """Open the folder; columns are checked when their table is read.

        marks_after: days from a hand-in to its mark by a tutor; 0: they come together.

        Raises:
            OuladError: the folder or a table is missing.
        """
        self._tables = OuladTables(Path(path))
        self._marks_after = marks_after

    @property
    def presentations(self) -> tuple[Presentation, ...]:
        """The presentations of ``courses`` that have clicks, in alphabetical order."""
        return self._tables.presentations

    def stream(
        self, presentations: Sequence[Presentation] | None = None, ticks: bool = True
    ) -> Iterator[SourceMessage]:
        """Messages in event-time order; presentations in alphabetical order where times are equal.

        Raises:
            OuladError: a presentation is not in the folder, or a column or value is invalid.
        """
        runs = [self._run(presentation) for presentation in self._select(presentations)]
        blocks = heapq.merge(
            *(run.blocks() for run in runs), key=lambda block: (block.timestamp, block.course_run)
        )
        messages = chain.from_iterable(block.messages for block in blocks)
        return with_ticks(messages, "oulad") if ticks else messages

    def total(self, presentations: Sequence[Presentation] | None = None) -> int:
        """An upper bound of the stream's messages, for a progress bar: events that are cut are counted.

        On the whole dataset it is some thousandths too high.
        """
        selected = self._select(presentations)
        clicks = sum(self._tables.click_rows(presentation) for presentation in selected)
        facts = sum(self._run(presentation).fact_count() for presentation in selected)
        return clicks + facts + self._days(selected)

    def _run(self, presentation: Presentation) -> "_Run":
        return _Run(self._tables, presentation, self._marks_after)

    def _days(self, selected: Sequence[Presentation]) -> int:
        runs = [self._run(presentation) for presentation in selected]
        if not runs:
            return 0
        first = min(run.start + int(run.roster.registered.min(initial=0)) for run in runs)
        return max(run.end for run in runs) - first + 1 + CLOSING_DAYS

    def _select(self, presentations: Sequence[Presentation] | None) -> tuple[Presentation, ...]:
        if presentations is None:
            return self.presentations
        for presentation in presentations:
            if presentation not in self.presentations:
                available = ", ".join(run.course_run for run in self.presentations)
                raise OuladError(
                    f"presentations: {presentation.course_run} is not in the folder, found {available}"
                )
        return tuple(sorted(set(presentations)))


def start_day(code: str) -> int:
    """The nominal first day (UTC, since 1970) of a presentation code such as 2014B.

    Raises:
        OuladError: the code is not a year and B or J.
    """
    if re.fullmatch(r"[12][0-9]{3}[BJ]", code) is None:
        raise OuladError(f"code_presentation: {code!r}, expected a year and B or J, such as 2014B")
    return int(datetime(int(code[:4]), START_MONTHS[code[4]], 1, tzinfo=UTC).timestamp()) // DAY


class _Run:
    """One presentation: its small tables as columns, and its blocks of messages in event-time order."""

    def __init__(self, tables: OuladTables, presentation: Presentation, marks_after: int = 0) -> None:
        self.presentation = presentation
        self._marks_after = marks_after
        self.course_run = presentation.course_run
        self.start = start_day(presentation.code)
        self._tables = tables
        courses = tables.table("courses", presentation)
        self.length = int(whole_numbers(courses, "module_presentation_length", "courses")[0])
        self.end = self.start + self.length
        self.roster = read_roster(tables, presentation, self.length)

    def fact_count(self) -> int:
        """An upper bound of the messages besides clicks and ticks."""
        submissions = read_submissions(self._tables, self.presentation)
        marks = int(self._is_marked_later(submissions).sum())
        return 1 + 2 * len(self.roster.student) + len(submissions.day) + marks

    def blocks(self) -> Iterator[Block]:
        # The calendar is yielded before the merge: heapq.merge reads the first block of each part at
        # once, and that of the clicks opens files, which can wait until the presentation begins.
        yield self._calendar()
        parts = (
            self._enrolment_blocks(),
            self._click_blocks(),
            self._submission_blocks(),
            self._grade_blocks(),
            self._withdrawal_blocks(),
            self._completion_blocks(),
        )
        yield from heapq.merge(*parts, key=lambda block: block.timestamp)

    def _calendar(self) -> Block:
        first = min(0, int(self.roster.registered.min(initial=0)))
        timestamp = (self.start + first) * DAY
        message = {
            "type": "calendar",
            "event_id": f"{self.course_run}/calendar",
            "course": self.presentation.module,
            "course_run": self.course_run,
            "starts_at": instant(self.start * DAY),
            "ends_at": instant(self.end * DAY),
            "deadlines": self._deadlines(),
            "source": "oulad",
        }
        return Block(timestamp, self.course_run, [broadcast(message, timestamp)])

    def _deadlines(self) -> list[dict[str, Any]]:
        table = self._tables.table("assessments", self.presentation)
        ids = whole_numbers(table, "id_assessment", "assessments")
        days, weights = numbers(table, "date"), numbers(table, "weight")
        dated = [index for index in np.lexsort((ids, days)) if np.isfinite(days[index])]
        return [
            {
                "assessment": str(ids[index]),
                "due_at": instant((self.start + int(days[index]) + 1) * DAY),
                "weight": float(weights[index]) / 100,
            }
            for index in dated
        ]

    def _enrolment_blocks(self) -> Iterator[Block]:
        return self._fact_blocks("enrolled", "e", self.roster.registered, ENROLLED_AT)

    def _withdrawal_blocks(self) -> Iterator[Block]:
        return self._fact_blocks("withdrawn", "w", self.roster.withdrawn, WITHDRAWN_AT)

    def _fact_blocks(self, kind: str, letter: str, days: Ints, second: int) -> Iterator[Block]:
        """One fact for each learner on their day of `days` at `second`; NEVER is left out."""
        for day, indices in _split_by_day(days, np.argsort(days, kind="stable")):
            if day == NEVER:
                return
            timestamp = (self.start + day) * DAY + second
            yield Block(timestamp, self.course_run, self._fact_messages(kind, letter, timestamp, indices))

    def _completion_blocks(self) -> Iterator[Block]:
        indices = np.array(
            [index for index, result in enumerate(self.roster.result) if result], dtype=np.int64
        )
        timestamp = self.end * DAY + COMPLETED_AT
        yield Block(timestamp, self.course_run, self._fact_messages("completed", "c", timestamp, indices))

    def _fact_messages(
        self, kind: str, letter: str, timestamp: int, indices: Ints
    ) -> Iterator[SourceMessage]:
        occurred_at = instant(timestamp)
        for index in indices.tolist():
            student = self.roster.student[index]
            learner = f"oulad-{student}"
            message = {
                "type": kind,
                "event_id": f"{self.course_run}/{letter}{student}",
                "learner": learner,
                "course_run": self.course_run,
                "occurred_at": occurred_at,
                "source": "oulad",
            }
            if kind == "completed":
                message["result"] = self.roster.result[index]
            yield SourceMessage(learner, orjson.dumps(message), False, timestamp)

    def _submission_blocks(self) -> Iterator[Block]:
        submissions = read_submissions(self._tables, self.presentation)
        in_force = (submissions.day < self._cut_off_days(submissions.student)) & (
            submissions.day <= self.length
        )
        order = np.lexsort((submissions.student, submissions.assessment, submissions.day))
        for day, indices in _split_by_day(submissions.day, order[in_force[order]]):
            timestamp = (self.start + day) * DAY + SUBMISSIONS_AT
            yield Block(
                timestamp, self.course_run, self._submission_messages(timestamp, submissions, indices)
            )

    def _is_marked_later(self, submissions: Submissions) -> NDArray[np.bool_]:
        """Which submissions have a mark that comes as a message of its own, [n]."""
        if not self._marks_after:
            return np.zeros(len(submissions.day), bool)
        table = self._tables.columns("assessments", ("id_assessment", "assessment_type"))
        types = zip(table["id_assessment"].to_pylist(), table["assessment_type"].to_pylist(), strict=True)
        by_tutor = [int(assessment) for assessment, kind in types if kind == TUTOR_MARKED]
        return np.isin(submissions.assessment, by_tutor) & np.isfinite(submissions.score)

    def _grade_blocks(self) -> Iterator[Block]:
        submissions = read_submissions(self._tables, self.presentation)
        graded_on = submissions.day + self._marks_after
        in_force = (graded_on < self._cut_off_days(submissions.student)) & (graded_on <= self.length)
        kept = self._is_marked_later(submissions) & in_force
        order = np.lexsort((submissions.student, submissions.assessment, graded_on))
        for day, indices in _split_by_day(graded_on, order[kept[order]]):
            timestamp = (self.start + day) * DAY + GRADED_AT
            yield Block(timestamp, self.course_run, self._grade_messages(timestamp, submissions, indices))

    def _grade_messages(
        self, timestamp: int, submissions: Submissions, indices: Ints
    ) -> Iterator[SourceMessage]:
        graded_at = instant(timestamp)
        for index in indices:
            learner, assessment = f"oulad-{submissions.student[index]}", str(submissions.assessment[index])
            message = {
                "type": "graded",
                "event_id": f"{self.course_run}/g{assessment}-{submissions.student[index]}",
                "learner": learner,
                "course_run": self.course_run,
                "object": assessment,
                "score": float(submissions.score[index]) / 100,
                "graded_at": graded_at,
                "source": "oulad",
            }
            yield SourceMessage(learner, orjson.dumps(message), False, timestamp)

    def _submission_messages(
        self, timestamp: int, submissions: Submissions, indices: Ints
    ) -> Iterator[SourceMessage]:
        occurred_at, later = instant(timestamp), self._is_marked_later(submissions)
        for index in indices:
            learner, assessment = f"oulad-{submissions.student[index]}", str(submissions.assessment[index])
            message: dict[str, Any] = {
                "type": "activity",
                "event_id": f"{self.course_run}/s{assessment}-{submissions.student[index]}",
                "learner": learner,
                "course_run": self.course_run,
                "kind": "submission",
                "occurred_at": occurred_at,
                "object": assessment,
                "source": "oulad",
            }
            if np.isfinite(submissions.score[index]) and not later[index]:
                message["score"] = float(submissions.score[index]) / 100
            yield SourceMessage(learner, orjson.dumps(message), False, timestamp)

    def _click_blocks(self) -> Iterator[Block]:
        kinds = self._kinds()
        for batch in self._tables.clicks(self.presentation):
            in_force = np.flatnonzero(batch.day < self._cut_off_days(batch.student))
            # Batches are ordered by day, so a day's rows are adjacent.
            for day, indices in _split_by_day(batch.day, in_force):
                timestamp = (self.start + day) * DAY + CLICKS_AT
                yield Block(
                    timestamp, self.course_run, self._click_messages(timestamp, batch, indices, kinds)
                )

    def _click_messages(
        self, timestamp: int, batch: Clicks, indices: Ints, kinds: dict[int, str]
    ) -> Iterator[SourceMessage]:
        occurred_at = instant(timestamp)
        run, prefix, dumps = self.course_run, f"{self.course_run}/", orjson.dumps
        for row, student, site, count in zip(
            batch.row[indices].tolist(),
            batch.student[indices].tolist(),
            batch.site[indices].tolist(),
            batch.count[indices].tolist(),
            strict=True,
        ):
            learner = f"oulad-{student}"
            value = dumps(
                {
                    "type": "activity",
                    "event_id": f"{prefix}{row}",
                    "learner": learner,
                    "course_run": run,
                    "kind": kinds.get(site, "other"),
                    "occurred_at": occurred_at,
                    "object": str(site),
                    "count": count,
                    "source": "oulad",
                }
            )
            yield SourceMessage(learner, value, False, timestamp)

    def _kinds(self) -> dict[int, str]:
        table = self._tables.table("vle", self.presentation)
        sites = whole_numbers(table, "id_site", "vle").tolist()
        types = table["activity_type"].to_pylist()
        return {site: KINDS.get(name, "other") for site, name in zip(sites, types, strict=True)}

    def _cut_off_days(self, students: Ints) -> Ints:
        """Day [n] from which each student's events are left out; NEVER without withdrawal or enrolment."""
        enrolled = self.roster.student
        if not len(enrolled):
            return np.full(len(students), NEVER)
        index = np.minimum(np.searchsorted(enrolled, students), len(enrolled) - 1)
        return np.where(enrolled[index] == students, self.roster.cut_off[index], NEVER)


def _split_by_day(days: Ints, indices: Ints) -> Iterator[tuple[int, Ints]]:
    """`indices`, sorted by their `days`, split where the day changes: (day, indices of that day)."""
    cuts = np.flatnonzero(np.diff(days[indices])) + 1
    for part in np.split(indices, cuts):
        if len(part):
            yield int(days[part[0]]), part
