"""Queries of one enrolment's history: estimates, activity, changes, decisions, feedback."""

from collections.abc import Sequence
from datetime import date, timedelta
from typing import Any

from console.models import ActivityDay, Change, Decision, FeedbackEvent, HistoryPoint
from console.queries.nudges import COLUMNS
from console.queries.risks import reasons
from console.readers import Readers

FORMER_NAMES = """
SELECT former_run, former_learner
FROM former_names FINAL
WHERE (course_run, learner) IN %(names)s
"""

MAX_STEPS = 16
"""Merges and new names in a row that are followed."""

HISTORY = """
SELECT day, probability, level, model_state, clicks
FROM risk_history FINAL
WHERE (course_run, learner) IN %(names)s
ORDER BY day
"""

CHANGES = """
SELECT day, previous_level, level, previous_probability, probability, reasons, contributions, reliefs
FROM risk_changes FINAL
WHERE (course_run, learner) IN %(names)s
ORDER BY occurred_at DESC
"""

DECISIONS = f"""
SELECT {COLUMNS}
FROM nudge_ledger FINAL
WHERE (course_run, learner) IN %(names)s
ORDER BY decided_at DESC, decision_id
"""  # noqa: S608 - a constant

WORDS = """
SELECT fact AS kind, at, course_run, nullIf(nudge_id, '') AS nudge_id
FROM learner_facts FINAL
WHERE (course_run, learner) IN %(names_and_all_runs)s AND fact != 'preferences'
ORDER BY at DESC, fact_id
"""


Names = Sequence[tuple[str, str]]
"""Course runs and learners under which one enrolment has a history."""


def names_of(readers: Readers, run: str, learner: str) -> Names:
    """All names of an enrolment: its own, and those before merges of accounts and new names of its run."""
    names, newest = {(run, learner)}, {(run, learner)}
    for _ in range(MAX_STEPS):
        rows = readers.rows(FORMER_NAMES, {"names": sorted(newest)})
        newest = {(row["former_run"], row["former_learner"]) for row in rows} - names
        if not newest:
            break
        names |= newest
    return sorted(names)


def history(readers: Readers, names: Names) -> tuple[list[HistoryPoint], list[ActivityDay]]:
    """The stored estimates, oldest first, and the daily activity that they contain."""
    rows = readers.rows(HISTORY, {"names": names})
    points = [
        HistoryPoint(
            day=row["day"],
            probability=round(row["probability"], 6),
            level=row["level"],
            model_state=row["model_state"],
        )
        for row in rows
    ]
    return points, _activity(rows)


def _activity(rows: list[dict[str, Any]]) -> list[ActivityDay]:
    """Each estimate contains the clicks of the seven days before it; for a day the newest estimate counts."""
    days: dict[date, int] = {}
    for row in rows:
        for back, clicks in enumerate(row["clicks"], 1):
            days[row["day"] - timedelta(days=back)] = clicks
    return [ActivityDay(day=day, clicks=clicks) for day, clicks in sorted(days.items())]


def changes(readers: Readers, names: Names) -> list[Change]:
    """Changes of level, the newest first."""
    level_changes = []
    for row in readers.rows(CHANGES, {"names": names}):
        risk_reasons = reasons(*(row.pop(name) for name in ("reasons", "contributions", "reliefs")))
        level_changes.append(Change(**row, reasons=risk_reasons))
    return level_changes


def decisions(readers: Readers, names: Names) -> list[Decision]:
    """Rows of the ledger, the newest first."""
    return [Decision(**row) for row in readers.rows(DECISIONS, {"names": names})]


def feedback(readers: Readers, names: Names) -> list[FeedbackEvent]:
    """Feedback on the learner in this run or in general; the newest first."""
    in_all_runs = sorted({("", learner) for _, learner in names})
    rows = readers.rows(WORDS, {"names_and_all_runs": [*names, *in_all_runs]})
    return [FeedbackEvent(**row) for row in rows]
