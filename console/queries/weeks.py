"""Queries of one week of a course run: level changes and decisions. Weeks are those of the run, from 1."""

from datetime import date
from typing import Any

from console.models import DecisionCount, Risk
from console.queries.risks import to_risk
from console.readers import Readers

CHANGES = """
SELECT learner, course_run, picked.1 AS day, picked.2 AS previous_level, picked.3 AS level,
       picked.4 AS previous_probability, picked.5 AS probability, picked.6 AS model_state,
       picked.7 AS reasons, picked.8 AS contributions, picked.9 AS features,
       picked.10 AS reliefs
FROM
(
    SELECT learner, course_run,
           argMax((day, previous_level, level, previous_probability, probability, model_state, reasons,
                   contributions, features, reliefs), (day, version)) AS picked
    FROM risk_changes
    WHERE course_run = %(run)s AND day > toDate(%(first)s) AND day <= toDate(%(last)s) + 1
    GROUP BY learner, course_run
)
ORDER BY probability DESC, learner
"""

DECISIONS = """
SELECT decision, reason, count() AS count
FROM nudge_ledger FINAL
WHERE course_run = %(run)s AND toDate(decided_at) > toDate(%(first)s)
  AND toDate(decided_at) <= toDate(%(last)s) + 1
GROUP BY decision, reason
ORDER BY count DESC, reason
"""


def changes(readers: Readers, run: str, first: date, last: date) -> list[Risk]:
    """Each learner's newest change from ``first`` to ``last``, by descending probability."""
    rows = readers.rows(CHANGES, {"run": run, "first": first, "last": last})
    return [_risk(row) for row in rows]


def _risk(row: dict[str, Any]) -> Risk:
    return to_risk(row, row["day"], row["features"])


def decisions(readers: Readers, run: str, first: date, last: date) -> list[DecisionCount]:
    """The number of decisions on those days by kind and reason."""
    return [
        DecisionCount(**row) for row in readers.rows(DECISIONS, {"run": run, "first": first, "last": last})
    ]
