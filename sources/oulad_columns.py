"""Enrolments and submissions of one OULAD presentation, as columns with days from its start.

The rules for missing and contradictory values are listed in ``sources.oulad``.
"""

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from schemas.activity import ActivityKind
from sources.oulad_tables import OuladError, OuladTables, Presentation, numbers, whole_numbers

UNKNOWN_REGISTRATION = -30
NEVER = 1 << 30
"""A day that no presentation reaches."""

RESULTS = {"Pass": "pass", "Distinction": "distinction", "Fail": "fail"}

Floats = np.ndarray[Any, np.dtype[np.float64]]
Ints = np.ndarray[Any, np.dtype[np.int64]]


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
"""OULAD's activity type → the contract's kind; a type or site that is not listed is `other`."""


@dataclass(frozen=True, slots=True)
class Roster:
    """The enrolments of a presentation, ordered by student; all columns [n], days from its start."""

    student: Ints
    registered: Ints
    withdrawn: Ints
    """Day of the `withdrawn` message; NEVER where there is none."""
    cut_off: Ints
    """First day from which the learner's own events are left out; NEVER where all are published."""
    result: list[str | None]
    """Result of the `completed` message; None where there is none."""


class Submissions(NamedTuple):
    """Assessed work, without what was carried over; columns [n], days from the start, score 0–100 or NaN."""

    assessment: Ints
    student: Ints
    day: Ints
    score: Floats


def read_submissions(tables: OuladTables, presentation: Presentation) -> Submissions:
    """The presentation's submissions, in the order of the table.

    Raises:
        OuladError: a value is missing, or a score is out of its range.
    """
    own_assessments = whole_numbers(tables.table("assessments", presentation), "id_assessment", "assessments")
    table = tables.table("studentAssessment")
    assessment = whole_numbers(table, "id_assessment", "studentAssessment")
    mask = np.isin(assessment, own_assessments) & (numbers(table, "is_banked") != 1)
    table = table.filter(mask)
    score = numbers(table, "score")
    out_of_range = np.flatnonzero((score < 0) | (score > 100))
    if out_of_range.size:
        raise OuladError(f"studentAssessment.score: {score[out_of_range[0]]}, expected 0 to 100, or missing")
    return Submissions(
        assessment[mask],
        whole_numbers(table, "id_student", "studentAssessment"),
        whole_numbers(table, "date_submitted", "studentAssessment"),
        score,
    )


def read_roster(tables: OuladTables, presentation: Presentation, length: int) -> Roster:
    """The presentation's enrolments; `length` is its length in days, the day of final results.

    Raises:
        OuladError: a value is missing, or a final result is unknown.
    """
    table = tables.table("studentRegistration", presentation)
    student = whole_numbers(table, "id_student", "studentRegistration")
    order = np.argsort(student, kind="stable")
    student = student[order]
    unregistered = numbers(table, "date_unregistration")[order]
    registered = numbers(table, "date_registration")[order]
    registered = np.where(np.isnan(registered), np.fmin(UNKNOWN_REGISTRATION, unregistered), registered)
    final = _final_results(tables, presentation)
    results = [final.get(student_id) for student_id in student.tolist()]
    completed = np.array([result in ("Pass", "Distinction") for result in results], dtype=bool)
    withdrew = np.array([result == "Withdrawn" for result in results], dtype=bool)
    cut_off = np.where(np.isnan(unregistered) | completed, NEVER, unregistered).astype(np.int64)
    withdrawn = np.where(cut_off < NEVER, np.minimum(cut_off, length), np.where(withdrew, length, NEVER))
    completions = [
        RESULTS.get(result or "") if day == NEVER else None
        for result, day in zip(results, withdrawn.tolist(), strict=True)
    ]
    return Roster(student, registered.astype(np.int64), withdrawn, cut_off, completions)


def _final_results(tables: OuladTables, presentation: Presentation) -> dict[int, str | None]:
    table = tables.table("studentInfo", presentation)
    names = table["final_result"].to_pylist()
    for name in names:
        if name not in RESULTS and name not in ("Withdrawn", None):
            raise OuladError(
                f"studentInfo.final_result: {name!r}, expected Pass, Distinction, Fail or Withdrawn"
            )
    return dict(zip(whole_numbers(table, "id_student", "studentInfo").tolist(), names, strict=True))
