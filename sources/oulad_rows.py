"""The enrolments and the submissions of an OULAD presentation, as columns.

What a missing or a late day of the tables means is decided here; ``sources.oulad`` makes messages of it.
"""

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from sources.oulad_tables import OuladError, OuladTables, Presentation, numbers, whole

UNKNOWN_REGISTRATION = -30
NEVER = 1 << 30
"""A day that no presentation reaches."""

RESULTS = {"Pass": "pass", "Distinction": "distinction", "Fail": "fail"}

Floats = np.ndarray[Any, np.dtype[np.float64]]
Ints = np.ndarray[Any, np.dtype[np.int64]]


@dataclass(frozen=True, slots=True)
class Roster:
    """The enrolments of a presentation, ordered by student; all columns [n], days from its start."""

    student: Ints
    registered: Ints
    withdrawn: Ints
    """Day on which the stream says `withdrawn`; NEVER where it does not."""
    left: Ints
    """Day from which the learner's own events are cut; NEVER where none are."""
    result: list[str | None]
    """What `completed` says; None where it is not sent."""


class Submissions(NamedTuple):
    """Work handed in, not carried over; columns [n], days from the start, score 0–100 or NaN."""

    assessment: Ints
    student: Ints
    day: Ints
    score: Floats


def read_submissions(tables: OuladTables, presentation: Presentation) -> Submissions:
    """The submissions of a presentation that count.

    :raises OuladError: a score is not from 0 to 100
    """
    mine = whole(tables.table("assessments", presentation), "id_assessment", "assessments")
    table = tables.table("studentAssessment")
    assessment = whole(table, "id_assessment", "studentAssessment")
    kept = np.isin(assessment, mine) & (numbers(table, "is_banked") != 1)
    table = table.filter(kept)
    score = numbers(table, "score")
    bad = np.flatnonzero((score < 0) | (score > 100))
    if bad.size:
        raise OuladError(f"studentAssessment.score: {score[bad[0]]}, expected 0 to 100, or missing")
    return Submissions(
        assessment[kept],
        whole(table, "id_student", "studentAssessment"),
        whole(table, "date_submitted", "studentAssessment"),
        score,
    )


def read_roster(tables: OuladTables, presentation: Presentation, length: int) -> Roster:
    """The roster of a presentation. length: its days."""
    table = tables.table("studentRegistration", presentation)
    student = whole(table, "id_student", "studentRegistration")
    order = np.argsort(student, kind="stable")
    student = student[order]
    unregistered = numbers(table, "date_unregistration")[order]
    registered = numbers(table, "date_registration")[order]
    registered = np.where(np.isnan(registered), np.fmin(UNKNOWN_REGISTRATION, unregistered), registered)
    final = _final_results(tables, presentation)
    results = [final.get(each) for each in student.tolist()]
    completed = np.array([result in ("Pass", "Distinction") for result in results], dtype=bool)
    gone = np.array([result == "Withdrawn" for result in results], dtype=bool)
    left = np.where(np.isnan(unregistered) | completed, NEVER, unregistered).astype(np.int64)
    withdrawn = np.where(left < NEVER, np.minimum(left, length), np.where(gone, length, NEVER))
    sent = [
        RESULTS.get(result or "") if day == NEVER else None
        for result, day in zip(results, withdrawn.tolist(), strict=True)
    ]
    return Roster(student, registered.astype(np.int64), withdrawn, left, sent)


def _final_results(tables: OuladTables, presentation: Presentation) -> dict[int, str | None]:
    table = tables.table("studentInfo", presentation)
    names = table["final_result"].to_pylist()
    for name in names:
        if name not in RESULTS and name not in ("Withdrawn", None):
            raise OuladError(
                f"studentInfo.final_result: {name!r}, expected Pass, Distinction, Fail or Withdrawn"
            )
    return dict(zip(whole(table, "id_student", "studentInfo").tolist(), names, strict=True))
