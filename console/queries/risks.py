"""The list of learners at risk: filtered, ordered and cut into pages by the store."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any

from console.models import Order, Risk, Why, Word
from console.queries import cursors
from console.queries.courses import in_force_since
from console.readers import Readers
from console.steps import step_of
from schemas.risk import RISK_LEVELS, RiskLevel

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
"""What the store gives for a time that a join did not find."""

FIRST, LAST = EPOCH.date(), date(2106, 1, 1)
"""Days that the store's times can be compared with; nothing in it lies outside."""

_PICKED = """
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
"""Tuples are taken apart here and not in the store: to work out what a query means takes it longer, the more
columns it names, and longer than to answer it. Who has no level has not been estimated yet."""

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

SOME = _PICKED.format(where="AND learner IN %(learners)s") + "ORDER BY course_run"


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
    listed = _LISTED.format(picked=_PICKED.format(where=""))
    bound = ", ".join(f"%(after_{place})s" for place in range(len(after)))
    condition = f"({sorting.key}) > ({bound})" if after else "1"
    rows = readers.rows(_PAGE.format(listed=listed, after=condition, key=sorting.key), params)
    shown, more = rows[:limit], len(rows) > limit
    last = cursors.encode(order, [shown[-1][name] for name in sorting.columns]) if more else None
    return Listed(rows[0]["total"] if rows else 0, [_risk_of(row) for row in shown], last)


def of_learners(readers: Readers, runs: tuple[str, ...], learners: Iterable[str]) -> list[Risk]:
    """The risks of some learners in ``runs``, past runs included."""
    params = {"runs": runs, "learners": tuple(learners)}
    return [_risk_of(row) for row in readers.rows(SOME, params)] if all(params.values()) else []


def _risk_of(row: dict[str, Any]) -> Risk:
    """A row of the queries above as a risk, without the learner's name."""
    day, probability, _, level, state, _ = row["newest"]
    changed_at, previous_level, previous_probability = row["changed"]
    texts, contributions, features = row["reasons"]
    word_at, word, nudge = row["said"]
    run, changed = row["course_run"], changed_at > EPOCH
    answered = (
        Word(kind=word, at=word_at, course_run=run, nudge_id=nudge or None) if row["answered"] else None
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
    return as_risk(values, changed_at.date() if changed else None, features, answered)


def as_risk(
    row: dict[str, Any], changed_on: date | None, features: list[str], answered: Word | None = None
) -> Risk:
    """An estimate of the store with the change of level that it rests on, where there was one."""
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


def reasons(texts: list[str], contributions: list[float], reliefs: list[str]) -> list[Why]:
    """Reasons as the store keeps them: lists of one length, but for changes of before there were reliefs."""
    helps = reliefs or [""] * len(texts)
    return [
        Why(text=text, contribution=round(contribution, 4), relief=relief or None)
        for text, contribution, relief in zip(texts, contributions, helps, strict=True)
    ]
