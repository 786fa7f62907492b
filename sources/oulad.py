"""OULAD as one time-ordered stream of messages, over all presentations of a folder.

The Open University Learning Analytics Dataset (Kuzilek, Hlosta, Zdrahal, *Scientific Data* 4:170171,
2017, CC BY 4.0) counts whole days from each presentation's start and has no dates. What is made of it:

* **Start**: B presentations on 1 February, J on 1 October of their year, so that runs follow each
  other as they did. Day *u* of a presentation is the UTC day start + *u*.
* **Time within a day** is unknown, so it is fixed: calendar 00:00, enrolled 08:00, clicks 12:00,
  submissions 13:00, withdrawn 20:00, completed 21:00.
* **Ids** are made of the presentation and the row's number in it (clicks) or its key (all others):
  exact duplicate rows are events of their own, and ids do not depend on which presentations are read.
* **Registration**: a missing day is day −30 (or the day of unregistration, where that is earlier).
* **Unregistration** on day *u* is `withdrawn` at 20:00 of day *u*, so that an estimate for day *u*,
  which rests on earlier days, does not know it. Clicks and submissions from day *u* on are cut, as the
  learner has left. It ends the enrolment also where the final result says Fail (9 such), but not where
  it says Pass or Distinction: who completed has come back.
* **End**: the day after which the presentation is over is start + its length. Final results come that
  evening; so does `withdrawn` for a Withdrawn without a day, or with one after the end: nobody knew
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

from schemas.activity import ActivityKind
from sources.oulad_rows import NEVER, Ints, Submissions, read_roster, read_submissions
from sources.oulad_tables import Clicks, OuladError, OuladTables, Presentation, numbers, whole
from sources.stream import CLOSING_DAYS, DAY, Published, broadcast, instant, with_ticks

__all__ = ["KINDS", "OuladError", "OuladFolder", "Presentation"]

HOUR = 3_600
ENROLLED_AT, CLICKS_AT, SUBMISSIONS_AT, GRADED_AT, WITHDRAWN_AT, COMPLETED_AT = (
    hour * HOUR for hour in (8, 12, 13, 14, 20, 21)
)
TUTOR_MARKED = "TMA"
"""The assessment type of what tutors mark."""

START_MONTHS = {"B": 2, "J": 10}


KINDS: dict[str, ActivityKind] = {
    "homepage": "home",
    "oucontent": "content",
    "forumng": "forum",
    "quiz": "quiz",
    "externalquiz": "quiz",
    "questionnaire": "quiz",
    "page": "page",
    "subpage": "page",
    "sharedsubpage": "page",
    "folder": "page",
    "glossary": "page",
    "dualpane": "page",
    "htmlactivity": "page",
    "resource": "resource",
    "url": "resource",
    "dataplus": "resource",
    "ouwiki": "wiki",
    "oucollaborate": "other",
    "ouelluminate": "other",
    "repeatactivity": "other",
}
"""OULAD's activity types in our vocabulary; a type or site that is not listed is `other`."""


class Block(NamedTuple):
    """Messages of one presentation and one instant: the unit in which presentations are merged."""

    at: int
    course_run: str
    messages: Iterable[Published]
    """Made while they are read: waiting blocks hold columns, not messages."""


class OuladFolder:
    """A folder with the OULAD tables, any subset of the presentations, as a stream of messages."""

    def __init__(self, path: Path | str, marks_after: int = 0) -> None:
        """marks_after: days from a hand-in to its mark by a tutor; 0: they come together.

        :raises OuladError: the folder, a table or a column is missing, and which one
        """
        self._tables = OuladTables(Path(path))
        self._marks_after = marks_after

    @property
    def presentations(self) -> tuple[Presentation, ...]:
        """Those listed in ``courses`` that have clicks, alphabetically."""
        return self._tables.presentations

    def stream(
        self, presentations: Sequence[Presentation] | None = None, ticks: bool = True
    ) -> Iterator[Published]:
        """Messages in event-time order; at one instant, presentations in alphabetical order.

        :raises OuladError: a presentation is not in the folder, or a value is not what it must be
        """
        runs = [self._run(each) for each in self._chosen(presentations)]
        blocks = heapq.merge(*(run.blocks() for run in runs), key=lambda block: (block.at, block.course_run))
        messages = chain.from_iterable(block.messages for block in blocks)
        return with_ticks(messages, "oulad") if ticks else messages

    def total(self, presentations: Sequence[Presentation] | None = None) -> int:
        """About how many messages the stream has, for a progress bar: what is cut is still counted.

        Never less than there are, at most some thousandths more on the whole data.
        """
        chosen = self._chosen(presentations)
        clicks = sum(self._tables.click_rows(each) for each in chosen)
        return clicks + sum(self._run(each).facts() for each in chosen) + self._days(chosen)

    def _run(self, presentation: Presentation) -> "_Run":
        return _Run(self._tables, presentation, self._marks_after)

    def _days(self, chosen: Sequence[Presentation]) -> int:
        runs = [self._run(each) for each in chosen]
        if not runs:
            return 0
        first = min(run.start + int(run.roster.registered.min(initial=0)) for run in runs)
        return max(run.end for run in runs) - first + 1 + CLOSING_DAYS

    def _chosen(self, presentations: Sequence[Presentation] | None) -> tuple[Presentation, ...]:
        if presentations is None:
            return self.presentations
        for each in presentations:
            if each not in self.presentations:
                known = ", ".join(known.course_run for known in self.presentations)
                raise OuladError(f"presentations: {each.course_run} is not in the folder, found {known}")
        return tuple(sorted(set(presentations)))


def start_day(code: str) -> int:
    """The nominal first day (UTC, since 1970) of a presentation code such as 2014B.

    :raises OuladError: not a year and B or J
    """
    if re.fullmatch(r"[12][0-9]{3}[BJ]", code) is None:
        raise OuladError(f"code_presentation: {code!r}, expected a year and B or J, such as 2014B")
    return int(datetime(int(code[:4]), START_MONTHS[code[4]], 1, tzinfo=UTC).timestamp()) // DAY


class _Run:
    """One presentation: its small tables as columns, and its blocks of messages in order of time."""

    def __init__(self, tables: OuladTables, presentation: Presentation, marks_after: int = 0) -> None:
        self.presentation = presentation
        self._marks_after = marks_after
        self.course_run = presentation.course_run
        self.start = start_day(presentation.code)
        self._tables = tables
        courses = tables.table("courses", presentation)
        self.length = int(whole(courses, "module_presentation_length", "courses")[0])
        self.end = self.start + self.length
        self.roster = read_roster(tables, presentation, self.length)

    def facts(self) -> int:
        """Messages besides clicks and ticks, at most: calendar, enrolments, ends, submissions, marks."""
        rows = read_submissions(self._tables, self.presentation)
        marks = int(self._is_marked_later(rows).sum())
        return 1 + 2 * len(self.roster.student) + len(rows.day) + marks

    def blocks(self) -> Iterator[Block]:
        # The calendar stands alone before the merge: heapq.merge reads each part's first block at
        # once, and that of the clicks opens files, which can wait until the presentation begins.
        yield self._calendar()
        parts = [self._enrolled(), self._clicks(), self._submitted()]
        parts += [self._graded(), self._withdrawn(), self._completed()]
        yield from heapq.merge(*parts, key=lambda block: block.at)

    def _calendar(self) -> Block:
        first = min(0, int(self.roster.registered.min(initial=0)))
        at = (self.start + first) * DAY
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
        return Block(at, self.course_run, [broadcast(message, at)])

    def _deadlines(self) -> list[dict[str, Any]]:
        table = self._tables.table("assessments", self.presentation)
        ids = whole(table, "id_assessment", "assessments")
        days, weights = numbers(table, "date"), numbers(table, "weight")
        dated = [place for place in np.lexsort((ids, days)) if np.isfinite(days[place])]
        return [
            {
                "assessment": str(ids[place]),
                "due_at": instant((self.start + int(days[place]) + 1) * DAY),
                "weight": float(weights[place]) / 100,
            }
            for place in dated
        ]

    def _enrolled(self) -> Iterator[Block]:
        return self._of_learners("enrolled", "e", self.roster.registered, ENROLLED_AT)

    def _withdrawn(self) -> Iterator[Block]:
        return self._of_learners("withdrawn", "w", self.roster.withdrawn, WITHDRAWN_AT)

    def _of_learners(self, kind: str, letter: str, days: Ints, second: int) -> Iterator[Block]:
        """One fact a learner, on the day given; NEVER is left out."""
        for day, places in _runs(days, np.argsort(days, kind="stable")):
            if day == NEVER:
                return
            at = (self.start + day) * DAY + second
            yield Block(at, self.course_run, self._facts(kind, letter, at, places))

    def _completed(self) -> Iterator[Block]:
        places = np.array(
            [place for place, result in enumerate(self.roster.result) if result], dtype=np.int64
        )
        at = self.end * DAY + COMPLETED_AT
        yield Block(at, self.course_run, self._facts("completed", "c", at, places))

    def _facts(self, kind: str, letter: str, at: int, places: Ints) -> Iterator[Published]:
        moment = instant(at)
        for place in places.tolist():
            student = self.roster.student[place]
            learner = f"oulad-{student}"
            message = {
                "type": kind,
                "event_id": f"{self.course_run}/{letter}{student}",
                "learner": learner,
                "course_run": self.course_run,
                "occurred_at": moment,
                "source": "oulad",
            }
            if kind == "completed":
                message["result"] = self.roster.result[place]
            yield Published(learner, orjson.dumps(message), False, at)

    def _submitted(self) -> Iterator[Block]:
        rows = read_submissions(self._tables, self.presentation)
        kept = (rows.day < self._left(rows.student)) & (rows.day <= self.length)
        order = np.lexsort((rows.student, rows.assessment, rows.day))
        for day, places in _runs(rows.day, order[kept[order]]):
            at = (self.start + day) * DAY + SUBMISSIONS_AT
            yield Block(at, self.course_run, self._submission_messages(at, rows, places))

    def _is_marked_later(self, rows: Submissions) -> NDArray[np.bool_]:
        """Which submissions have a mark that comes as a message of its own, [n]."""
        if not self._marks_after:
            return np.zeros(len(rows.day), bool)
        table = self._tables.columns("assessments", ("id_assessment", "assessment_type"))
        types = zip(table["id_assessment"].to_pylist(), table["assessment_type"].to_pylist(), strict=True)
        by_tutor = [int(assessment) for assessment, kind in types if kind == TUTOR_MARKED]
        return np.isin(rows.assessment, by_tutor) & np.isfinite(rows.score)

    def _graded(self) -> Iterator[Block]:
        rows = read_submissions(self._tables, self.presentation)
        day = rows.day + self._marks_after
        kept = self._is_marked_later(rows) & (day < self._left(rows.student)) & (day <= self.length)
        order = np.lexsort((rows.student, rows.assessment, day))
        for graded_on, places in _runs(day, order[kept[order]]):
            at = (self.start + graded_on) * DAY + GRADED_AT
            yield Block(at, self.course_run, self._grades(at, rows, places))

    def _grades(self, at: int, rows: Submissions, places: Ints) -> Iterator[Published]:
        moment = instant(at)
        for place in places:
            learner, assessment = f"oulad-{rows.student[place]}", str(rows.assessment[place])
            message = {
                "type": "graded",
                "event_id": f"{self.course_run}/g{assessment}-{rows.student[place]}",
                "learner": learner,
                "course_run": self.course_run,
                "object": assessment,
                "score": float(rows.score[place]) / 100,
                "graded_at": moment,
                "source": "oulad",
            }
            yield Published(learner, orjson.dumps(message), False, at)

    def _submission_messages(self, at: int, rows: Submissions, places: Ints) -> Iterator[Published]:
        moment, later = instant(at), self._is_marked_later(rows)
        for place in places:
            learner, assessment = f"oulad-{rows.student[place]}", str(rows.assessment[place])
            message: dict[str, Any] = {
                "type": "activity",
                "event_id": f"{self.course_run}/s{assessment}-{rows.student[place]}",
                "learner": learner,
                "course_run": self.course_run,
                "kind": "submission",
                "occurred_at": moment,
                "object": assessment,
                "source": "oulad",
            }
            if np.isfinite(rows.score[place]) and not later[place]:
                message["score"] = float(rows.score[place]) / 100
            yield Published(learner, orjson.dumps(message), False, at)

    def _clicks(self) -> Iterator[Block]:
        kinds = self._kinds()
        for batch in self._tables.clicks(self.presentation):
            kept = np.flatnonzero(batch.day < self._left(batch.student))
            # Batches come in the order of their day, so a day's rows lie together.
            for day, places in _runs(batch.day, kept):
                at = (self.start + day) * DAY + CLICKS_AT
                yield Block(at, self.course_run, self._click_messages(at, batch, places, kinds))

    def _click_messages(
        self, at: int, batch: Clicks, places: Ints, kinds: dict[int, str]
    ) -> Iterator[Published]:
        moment = instant(at)
        run, prefix, dumps = self.course_run, f"{self.course_run}/", orjson.dumps
        for row, student, site, count in zip(
            batch.row[places].tolist(),
            batch.student[places].tolist(),
            batch.site[places].tolist(),
            batch.count[places].tolist(),
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
                    "occurred_at": moment,
                    "object": str(site),
                    "count": count,
                    "source": "oulad",
                }
            )
            yield Published(learner, value, False, at)

    def _kinds(self) -> dict[int, str]:
        table = self._tables.table("vle", self.presentation)
        sites = whole(table, "id_site", "vle").tolist()
        types = table["activity_type"].to_pylist()
        return {site: KINDS.get(name, "other") for site, name in zip(sites, types, strict=True)}

    def _left(self, students: Ints) -> Ints:
        """Day [n] from which each student's events are cut; NEVER for who stayed or is not enrolled."""
        known = self.roster.student
        if not len(known):
            return np.full(len(students), NEVER)
        place = np.minimum(np.searchsorted(known, students), len(known) - 1)
        return np.where(known[place] == students, self.roster.left[place], NEVER)


def _runs(days: Ints, places: Ints) -> Iterator[tuple[int, Ints]]:
    """`places`, which are in the order of their `days`, cut where the day changes."""
    cuts = np.flatnonzero(np.diff(days[places])) + 1
    for part in np.split(places, cuts):
        if len(part):
            yield int(days[part[0]]), part
