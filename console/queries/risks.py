"""The list of learners at risk: filtered, ordered and cut into pages by the store."""

from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any

from console.models import Order, Risk, Why, Word
from console.queries import cursors
from console.queries.courses import in_force_since
from console.readers import Readers
from console.steps import GETTING_BETTER, step_for
from schemas.risk import RISK_LEVELS, RiskLevel

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
"""What the store gives for a time that a join did not find."""

FIRST, LAST = EPOCH.date(), date(2106, 1, 1)
"""Days that the store's times can be compared with; nothing in it lies outside."""

_PICKED = """
    SELECT now.learner AS learner, now.course_run AS course_run, now.day AS day,
           now.probability AS probability, now.level AS level, now.model_state AS model_state,
           change.picked.1 AS changed_at, change.picked.2 AS previous_level,
           change.picked.3 AS previous_probability, change.picked.4 AS reasons,
           change.picked.5 AS contributions, change.picked.6 AS features,
           word.picked.1 AS word_at, word.picked.2 AS word_kind, word.picked.3 AS word_nudge,
           word_at > toDateTime(0, 'UTC') AND word_at >= changed_at AS answered,
           gone.at > toDateTime(0, 'UTC') AS gone,
           multiIf(level = 'high', 0, level = 'low', 3, previous_level = 'high', 2, 1) AS rank,
           -toInt64(toUnixTimestamp(changed_at)) AS newness,
           -toFloat64(probability) AS falling
    FROM (SELECT * FROM risk_now WHERE course_run IN %(runs)s {where}) AS now
    LEFT JOIN
    (
        SELECT learner, course_run,
               argMax((occurred_at, previous_level, previous_probability, reasons, contributions, features),
                      (day, version)) AS picked
        FROM risk_changes
        WHERE course_run IN %(runs)s
        GROUP BY learner, course_run
    ) AS change ON now.learner = change.learner AND now.course_run = change.course_run
    LEFT JOIN
    (
        SELECT learner, course_run, argMax((at, fact, nudge_id), (at, fact_id)) AS picked
        FROM learner_facts
        WHERE course_run IN %(runs)s AND fact IN ('helped', 'not_at_risk', 'in_contact')
        GROUP BY learner, course_run
    ) AS word ON now.learner = word.learner AND now.course_run = word.course_run
    LEFT JOIN
    (
        SELECT learner, course_run, max(at) AS at
        FROM learner_facts
        WHERE course_run IN %(runs)s AND fact IN ('withdrawn', 'completed')
        GROUP BY learner, course_run
    ) AS gone ON now.learner = gone.learner AND now.course_run = gone.course_run
"""

_LIKELY = "AND level IN %(levels)s AND day > toDate(%(since)s) AND probability >= %(least)s"
"""Of the newest risk, and of nothing before it: risk_now has picked already."""

_LISTED = """
SELECT *, count() OVER () AS total
FROM
({picked})
WHERE NOT gone AND changed_at >= toDateTime(toDate(%(changed)s), 'UTC') AND answered IN %(answered)s
"""

_PAGE = """
SELECT * FROM ({listed})
WHERE {after}
ORDER BY {key}
LIMIT %(limit)s
"""

ONE = _PICKED.format(where="AND learner = %(learner)s") + "ORDER BY course_run"


@dataclass(frozen=True, slots=True)
class Sorting:
    """An order: its key's columns, all ascending, and the types that a cursor must have in their place."""

    columns: tuple[str, ...]
    kinds: tuple[type, ...]

    @property
    def key(self) -> str:
        return ", ".join(self.columns)


ORDERS: dict[Order, Sorting] = {
    "urgency": Sorting(
        ("answered", "rank", "newness", "falling", "learner", "course_run"), (int, int, int, float, str, str)
    ),
    "probability": Sorting(("falling", "learner", "course_run"), (float, str, str)),
    "changed": Sorting(("newness", "falling", "learner", "course_run"), (int, float, str, str)),
}


@dataclass(frozen=True, slots=True)
class Filters:
    """Which risks to list."""

    levels: tuple[RiskLevel, ...] = ("medium", "high")
    least: float = 0.0
    changed_since: date | None = None
    answered: bool | None = None


@dataclass(frozen=True, slots=True)
class Listed:
    """A page of risks, without names."""

    total: int
    risks: list[Risk]
    next: str | None


def page(
    readers: Readers,
    runs: tuple[str, ...],
    newest: date,
    filters: Filters,
    order: Order = "urgency",
    cursor: str | None = None,
    limit: int = 50,
) -> Listed:
    """A page of those in force in ``runs`` (which are on) as of ``newest``, the store's newest day.

    Raises a 422 for a cursor that is not of this order.
    """
    if not runs:
        return Listed(0, [], None)
    sorting = ORDERS[order]
    after = () if cursor is None else cursors.decode(cursor, order, sorting.kinds)
    params: dict[str, Any] = {
        "runs": runs,
        "levels": filters.levels or RISK_LEVELS,
        "since": in_force_since(newest),
        "least": filters.least,
        "changed": min(max(filters.changed_since or FIRST, FIRST), LAST),
        "answered": (0, 1) if filters.answered is None else (int(filters.answered),),
        "limit": limit + 1,
    }
    params |= {f"after_{place}": value for place, value in enumerate(after)}
    listed = _LISTED.format(picked=_PICKED.format(where=_LIKELY))
    bound = ", ".join(f"%(after_{place})s" for place in range(len(after)))
    condition = f"({sorting.key}) > ({bound})" if after else "1"
    rows = readers.rows(_PAGE.format(listed=listed, after=condition, key=sorting.key), params)
    shown, more = rows[:limit], len(rows) > limit
    last = cursors.encode(order, [shown[-1][name] for name in sorting.columns]) if more else None
    return Listed(rows[0]["total"] if rows else 0, [risk_of(row) for row in shown], last)


def of_learner(readers: Readers, runs: tuple[str, ...], learner: str) -> list[Risk]:
    """A learner's risks in ``runs``, past runs included."""
    if not runs:
        return []
    return [risk_of(row) for row in readers.rows(ONE, {"runs": runs, "learner": learner})]


def risk_of(row: dict[str, Any]) -> Risk:
    """A row of the queries above as a risk, without the learner's name."""
    changed = row["changed_at"] > EPOCH
    answered = (
        Word(
            kind=row["word_kind"],
            at=row["word_at"],
            course_run=row["course_run"],
            nudge_id=row["word_nudge"] or None,
        )
        if row["answered"]
        else None
    )
    return as_risk(row, row["changed_at"].date() if changed else None, _step(row), answered)


def as_risk(row: dict[str, Any], changed_on: date | None, step: str, answered: Word | None = None) -> Risk:
    """An estimate of the store with the change of level that it rests on, where there was one."""
    changed = changed_on is not None
    return Risk(
        learner=row["learner"],
        course_run=row["course_run"],
        day=row["day"],
        probability=round(row["probability"], 6),
        level=row["level"],
        model_state=row["model_state"],
        changed_on=changed_on,
        previous_level=row["previous_level"] if changed else None,
        previous_probability=round(row["previous_probability"], 6) if changed else None,
        reasons=reasons(row["reasons"], row["contributions"]),
        step=step,
        answered=answered,
    )


def _step(row: dict[str, Any]) -> str:
    """What to do: nothing at low risk, encourage who is getting better, else by the main reason."""
    if row["level"] == "low":
        return ""
    if row["previous_probability"] > row["probability"] and row["changed_at"] > EPOCH:
        return GETTING_BETTER
    features = row["features"]
    return step_for(features[0] if features else "")


def reasons(texts: list[str], contributions: list[float]) -> list[Why]:
    """Reasons as the store keeps them: two lists of one length."""
    return [
        Why(text=text, contribution=round(contribution, 4))
        for text, contribution in zip(texts, contributions, strict=True)
    ]
