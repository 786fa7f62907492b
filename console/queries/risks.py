"""Queries of the list of learners at risk: filtered, sorted and paged by the store."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any

from console.models import FeedbackEvent, Order, Risk, RiskReason
from console.queries import cursors
from console.queries.courses import in_force_since
from console.readers import Readers
from console.steps import step_of
from schemas.risk import RISK_LEVELS, RiskLevel

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
"""The store's value for a missing time."""

FIRST, LAST = EPOCH.date(), date(2106, 1, 1)
"""The range of days that the store can compare with; it has none outside."""

_NEWEST = """
    SELECT learner, course_run, argMaxMerge(estimate) AS newest, argMaxMerge(change) AS changed,
           argMaxMerge(why) AS reasons, argMaxMerge(reliefs) AS helps, argMaxIfMerge(word) AS said,
           max(gone_at) > toDateTime(0, 'UTC') AS gone,
           said.2 != '' AND said.1 >= changed.1 AS answered,
           multiIf(newest.4 = 'high', 0, newest.4 = 'low', 3, changed.2 = 'high', 2, 1) AS rank,
           -toInt64(toUnixTimestamp(changed.1)) AS newness,
           -toFloat64(newest.2) AS falling
    FROM standing
    WHERE course_run IN %(runs)s {where}
    GROUP BY course_run, learner
    HAVING newest.4 != ''
"""
"""Tuples are unpacked in Python: the store's query analysis takes longer with every named column, and longer
than the execution. A row without a level has not been estimated yet."""

_LISTED = """
SELECT *, count() OVER () AS total
FROM
({picked})
WHERE NOT gone AND changed.1 >= toDateTime(toDate(%(changed)s), 'UTC') AND answered IN %(answered)s
  AND newest.4 IN %(levels)s AND newest.1 > toDate(%(since)s) AND newest.2 >= %(least)s
"""

_PAGE = """
SELECT * FROM ({listed})
WHERE {after}
ORDER BY {key}
LIMIT %(limit)s
"""

BY_LEARNER = _NEWEST.format(where="AND learner IN %(learners)s") + "ORDER BY course_run"


@dataclass(frozen=True, slots=True)
class Sorting:
    """An order: the key's columns, all ascending, and the types of their values in a cursor."""

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
    """The filters of the list."""

    levels: tuple[RiskLevel, ...] = ("medium", "high")
    least: float = 0.0
    changed_since: date | None = None
    answered: bool | None = None


@dataclass(frozen=True, slots=True)
class RiskSlice:
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
) -> RiskSlice:
    """A page of the risks in force in ``runs`` (running ones) as of ``newest``, the store's newest day.

    Raises:
        ProblemError: the cursor is not of this order (422).
    """
    if not runs:
        return RiskSlice(0, [], None)
    sorting = ORDERS[order]
    after_key = () if cursor is None else cursors.decode(cursor, order, sorting.kinds)
    params: dict[str, Any] = {
        "runs": runs,
        "levels": filters.levels or RISK_LEVELS,
        "since": in_force_since(newest),
        "least": filters.least,
        "changed": min(max(filters.changed_since or FIRST, FIRST), LAST),
        "answered": (0, 1) if filters.answered is None else (int(filters.answered),),
        "limit": limit + 1,
    }
    params |= {f"after_{index}": value for index, value in enumerate(after_key)}
    listed_query = _LISTED.format(picked=_NEWEST.format(where=""))
    bound = ", ".join(f"%(after_{index})s" for index in range(len(after_key)))
    condition = f"({sorting.key}) > ({bound})" if after_key else "1"
    rows = readers.rows(_PAGE.format(listed=listed_query, after=condition, key=sorting.key), params)
    page_rows, more = rows[:limit], len(rows) > limit
    last = cursors.encode(order, [page_rows[-1][name] for name in sorting.columns]) if more else None
    return RiskSlice(rows[0]["total"] if rows else 0, [_risk_of(row) for row in page_rows], last)


def of_learners(readers: Readers, runs: tuple[str, ...], learners: Iterable[str]) -> list[Risk]:
    """The risks of some learners in ``runs``, past runs included."""
    params = {"runs": runs, "learners": tuple(learners)}
    return [_risk_of(row) for row in readers.rows(BY_LEARNER, params)] if all(params.values()) else []


def _risk_of(row: dict[str, Any]) -> Risk:
    """A row of the queries above as a risk, without the learner's name."""
    day, probability, _, level, state, _ = row["newest"]
    changed_at, previous_level, previous_probability = row["changed"]
    texts, contributions, features = row["reasons"]
    feedback_at, feedback_kind, nudge_id = row["said"]
    run, changed = row["course_run"], changed_at > EPOCH
    answered = (
        FeedbackEvent(kind=feedback_kind, at=feedback_at, course_run=run, nudge_id=nudge_id or None)
        if row["answered"]
        else None
    )
    values = {
        "learner": row["learner"],
        "course_run": run,
        "day": day,
        "probability": probability,
        "level": level,
        "model_state": state,
        "previous_level": previous_level,
        "previous_probability": previous_probability,
        "reasons": texts,
        "contributions": contributions,
        "reliefs": row["helps"],
    }
    return to_risk(values, changed_at.date() if changed else None, features, answered)


def to_risk(
    row: dict[str, Any], changed_on: date | None, features: list[str], answered: FeedbackEvent | None = None
) -> Risk:
    """A risk from an estimate's row, with its last change of level, if there was one."""
    changed = changed_on is not None
    risk = Risk(
        learner=row["learner"],
        course_run=row["course_run"],
        day=row["day"],
        probability=round(row["probability"], 6),
        level=row["level"],
        model_state=row["model_state"],
        changed_on=changed_on,
        previous_level=row["previous_level"] if changed else None,
        previous_probability=round(row["previous_probability"], 6) if changed else None,
        reasons=reasons(row["reasons"], row["contributions"], row["reliefs"]),
        answered=answered,
    )
    return risk.model_copy(update={"step": step_of(risk, features)})


def reasons(texts: list[str], contributions: list[float], reliefs: list[str]) -> list[RiskReason]:
    """Reasons from the store's columns: lists of equal length; old changes have no reliefs."""
    padded_reliefs = reliefs or [""] * len(texts)
    return [
        RiskReason(text=text, contribution=round(contribution, 4), relief=relief or None)
        for text, contribution, relief in zip(texts, contributions, padded_reliefs, strict=True)
    ]
