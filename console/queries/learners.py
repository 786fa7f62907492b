"""Queries of one enrolment's history: estimates, activity, changes, decisions, feedback."""

from datetime import date, timedelta
from typing import Any

from console.models import ActivityDay, Change, Decision, FeedbackEvent, HistoryPoint
from console.queries.nudges import COLUMNS
from console.queries.risks import reasons
from console.readers import Readers

HISTORY = """
SELECT day, probability, level, model_state, clicks
FROM risk_history FINAL
WHERE course_run = %(run)s AND learner = %(learner)s
ORDER BY day
"""

CHANGES = """
SELECT day, previous_level, level, previous_probability, probability, reasons, contributions, reliefs
FROM risk_changes FINAL
WHERE course_run = %(run)s AND learner = %(learner)s
ORDER BY occurred_at DESC
"""

DECISIONS = f"""
SELECT {COLUMNS}
FROM nudge_ledger FINAL
WHERE course_run = %(run)s AND learner = %(learner)s
ORDER BY decided_at DESC, decision_id
"""  # noqa: S608 - a constant

WORDS = """
SELECT fact AS kind, at, course_run, nullIf(nudge_id, '') AS nudge_id
FROM learner_facts FINAL
WHERE learner = %(learner)s AND course_run IN (%(run)s, '') AND fact != 'preferences'
ORDER BY at DESC, fact_id
"""


def history(readers: Readers, run: str, learner: str) -> tuple[list[HistoryPoint], list[ActivityDay]]:
    """The stored estimates, oldest first, and the daily activity that they contain."""
    rows = readers.rows(HISTORY, {"run": run, "learner": learner})
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


def changes(readers: Readers, run: str, learner: str) -> list[Change]:
    """Changes of level, the newest first."""
    level_changes = []
    for row in readers.rows(CHANGES, {"run": run, "learner": learner}):
        risk_reasons = reasons(*(row.pop(name) for name in ("reasons", "contributions", "reliefs")))
        level_changes.append(Change(**row, reasons=risk_reasons))
    return level_changes


def decisions(readers: Readers, run: str, learner: str) -> list[Decision]:
    """Rows of the ledger, the newest first."""
    return [Decision(**row) for row in readers.rows(DECISIONS, {"run": run, "learner": learner})]


def feedback(readers: Readers, run: str, learner: str) -> list[FeedbackEvent]:
    """Feedback on the learner in this run or in general; the newest first."""
    return [FeedbackEvent(**row) for row in readers.rows(WORDS, {"run": run, "learner": learner})]
