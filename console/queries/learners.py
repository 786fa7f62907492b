"""One enrolment's past: estimates, activity, changes, decisions, and what people said."""

from datetime import date, timedelta
from typing import Any

from console.models import ActivityDay, Change, Decision, HistoryPoint, Word
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
    """The kept estimates, oldest first, and the days of activity that they tell of."""
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
    """Each estimate tells of the seven days before it; of one day the newest estimate's word holds."""
    days: dict[date, int] = {}
    for row in rows:
        for back, clicks in enumerate(row["clicks"], 1):
            days[row["day"] - timedelta(days=back)] = clicks
    return [ActivityDay(day=day, clicks=clicks) for day, clicks in sorted(days.items())]


def changes(readers: Readers, run: str, learner: str) -> list[Change]:
    """Changes of level, the newest first."""
    found = []
    for row in readers.rows(CHANGES, {"run": run, "learner": learner}):
        why = reasons(*(row.pop(name) for name in ("reasons", "contributions", "reliefs")))
        found.append(Change(**row, reasons=why))
    return found


def decisions(readers: Readers, run: str, learner: str) -> list[Decision]:
    """Rows of the ledger, the newest first."""
    return [Decision(**row) for row in readers.rows(DECISIONS, {"run": run, "learner": learner})]


def words(readers: Readers, run: str, learner: str) -> list[Word]:
    """What was said of the learner in this run, or of the learner at large; the newest first."""
    return [Word(**row) for row in readers.rows(WORDS, {"run": run, "learner": learner})]
