"""The ledger: what was decided, what waits for an instructor's yes, and what became of the nudged."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

from console.models import Decision, DecisionPage, Held, Messages, Word
from console.ports import OutcomeCount, Proposed
from console.queries import cursors
from console.readers import Readers

WAITING_DAYS = 7
"""A proposal older than this has lost its reason."""

CHANGED_BEFORE_S = 2 * 86_400
"""How long before its proposal a change may lie; a day, as a rule."""

COLUMNS = (
    "decision_id, nudge_id, learner, course_run, decided_at, send_at, decision, reason, campaign, "
    "nullIf(channel, '') AS channel"
)
"""Of the ledger, what a :class:`console.models.Decision` has."""

LEDGER = f"""
SELECT {COLUMNS}
FROM nudge_ledger FINAL
WHERE course_run IN %(runs)s AND decision IN %(decisions)s
  AND (decided_at, decision_id) < (toDateTime(%(at)s, 'UTC'), %(id)s)
ORDER BY decided_at DESC, decision_id DESC
LIMIT %(limit)s
"""  # noqa: S608 - a constant

_UNANSWERED = """
FROM nudge_ledger FINAL
WHERE course_run IN %(runs)s AND reason = 'awaiting_approval' AND nudge_id IS NOT NULL
  AND decided_at > toDateTime(%(since)s, 'UTC')
  AND nudge_id NOT IN
  (
      SELECT assumeNotNull(nudge_id) FROM nudge_ledger
      WHERE course_run IN %(runs)s AND nudge_id IS NOT NULL AND reason != 'awaiting_approval'
  )
  AND nudge_id NOT IN
  (
      SELECT nudge_id FROM learner_facts WHERE fact IN ('approved', 'declined')
  )
"""

WAITING = f"""
SELECT {COLUMNS}, variant, policy_version, risk_change_id
{_UNANSWERED}
ORDER BY decided_at DESC, decision_id
LIMIT 200
"""

HOW_MANY_WAIT = f"""
SELECT count() AS waiting
{_UNANSWERED}
  AND nudge_id NOT IN %(answered)s
"""

REASONS = """
SELECT risk_change_id, reasons, contributions, features
FROM risk_changes FINAL
WHERE occurred_at > toDateTime(%(since)s, 'UTC') AND risk_change_id IN %(changes)s
"""

WORDS = """
SELECT fact AS kind, at, course_run, nudge_id
FROM learner_facts FINAL
WHERE nudge_id IN %(nudges)s
ORDER BY at DESC, fact_id
"""

NUDGE = f"""
SELECT {COLUMNS}
FROM nudge_ledger FINAL
WHERE nudge_id = %(nudge)s AND course_run IN %(runs)s
ORDER BY decided_at DESC
LIMIT 1
"""  # noqa: S608 - a constant

COUNTS = """
SELECT decision, reason, count() AS count
FROM nudge_ledger FINAL
WHERE course_run IN %(runs)s
GROUP BY decision, reason
ORDER BY count DESC, reason
"""

BY_CAMPAIGN = """
SELECT its AS campaign, countIf(proposed) AS proposed, countIf(sent) AS decided,
       countIf(sent AND cancelled) AS taken_back,
       countIf(nudge IN (SELECT nudge_id FROM learner_facts WHERE fact = 'delivered')) AS delivered
FROM
(
    SELECT assumeNotNull(nudge_id) AS nudge, any(campaign) AS its,
           max(reason = 'awaiting_approval') AS proposed, max(decision = 'send') AS sent,
           max(decision = 'cancel') AS cancelled
    FROM nudge_ledger FINAL
    WHERE course_run IN %(runs)s AND nudge_id IS NOT NULL
    GROUP BY nudge
)
GROUP BY its
ORDER BY its
"""

OUTCOMES = """
SELECT campaign, variant, arm, outcome, count() AS known, countIf(happened) AS happened
FROM nudge_outcomes FINAL
WHERE first AND course_run IN %(runs)s
GROUP BY campaign, variant, arm, outcome
"""

BEYOND = datetime(2100, 1, 1, tzinfo=UTC)
ALL_DECISIONS = ("send", "hold", "cancel")


def ledger(
    readers: Readers, runs: tuple[str, ...], decision: str | None, cursor: str | None, limit: int
) -> DecisionPage:
    """The newest decisions first. Raises a 422 for a cursor that is none."""
    if not runs:
        return DecisionPage(items=[])
    at, name = (
        (int(BEYOND.timestamp()), "") if cursor is None else cursors.decode(cursor, "ledger", (int, str))
    )
    params: dict[str, Any] = {
        "runs": runs,
        "decisions": ALL_DECISIONS if decision is None else (decision,),
        "at": at,
        "id": name,
        "limit": limit + 1,
    }
    rows = readers.rows(LEDGER, params)
    items = [Decision(**row) for row in rows[:limit]]
    more = len(rows) > limit
    following = (
        cursors.encode("ledger", [int(items[-1].decided_at.timestamp()), items[-1].decision_id])
        if more
        else None
    )
    return DecisionPage(items=_with_words(readers, items), next=following)


def waiting(readers: Readers, runs: tuple[str, ...], now: datetime) -> list[tuple[Decision, Proposed]]:
    """Proposals that nobody has approved or declined yet, the newest first."""
    if not runs:
        return []
    since = _waiting_since(now)
    rows = readers.rows(WAITING, {"runs": runs, "since": since})
    asked = {"changes": tuple(row["risk_change_id"] for row in rows), "since": since - CHANGED_BEFORE_S}
    whys = {row["risk_change_id"]: row for row in readers.rows(REASONS, asked)} if rows else {}
    return [(Decision(**row), _proposed(row, whys.get(row["risk_change_id"], {}))) for row in rows]


def how_many_wait(readers: Readers, runs: tuple[str, ...], now: datetime, answered: Iterable[str]) -> int:
    """How many of those proposals there are, without ``answered``, whose answers are on their way."""
    if not runs:
        return 0
    params = {"runs": runs, "since": _waiting_since(now), "answered": ("", *answered)}
    return int(readers.rows(HOW_MANY_WAIT, params)[0]["waiting"])


def _waiting_since(now: datetime) -> int:
    return int((now - timedelta(days=WAITING_DAYS)).timestamp())


def _proposed(row: dict[str, Any], why: dict[str, Any]) -> Proposed:
    parts = (why.get(name, ()) for name in ("features", "reasons", "contributions"))
    reasons = tuple(zip(*parts, strict=True))
    return Proposed(row["course_run"], row["campaign"], row["variant"], row["policy_version"], reasons)


def nudge(readers: Readers, runs: tuple[str, ...], nudge_id: str) -> Decision | None:
    """The newest decision on a nudge, if it is within ``runs``."""
    rows = readers.rows(NUDGE, {"nudge": nudge_id, "runs": runs}) if runs else []
    return Decision(**rows[0]) if rows else None


def _with_words(readers: Readers, decisions: list[Decision]) -> list[Decision]:
    nudges = tuple(one.nudge_id for one in decisions if one.nudge_id)
    if not nudges:
        return decisions
    words: dict[str, list[Word]] = {}
    for row in readers.rows(WORDS, {"nudges": nudges}):
        words.setdefault(row["nudge_id"], []).append(Word(**row))
    return [one.model_copy(update={"words": words.get(one.nudge_id or "", [])}) for one in decisions]


def decisions(readers: Readers, runs: tuple[str, ...]) -> list[Held]:
    """How often what was decided, and why."""
    return [Held(**row) for row in readers.rows(COUNTS, {"runs": runs})] if runs else []


def messages(readers: Readers, runs: tuple[str, ...]) -> list[Messages]:
    """What became of each campaign's messages."""
    return [Messages(**row) for row in readers.rows(BY_CAMPAIGN, {"runs": runs})] if runs else []


def outcomes(readers: Readers, runs: tuple[str, ...]) -> list[OutcomeCount]:
    """How often what happened to those whom chance nudged or held out."""
    return [OutcomeCount(**row) for row in readers.rows(OUTCOMES, {"runs": runs})] if runs else []
