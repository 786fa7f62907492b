"""Queries of the ledger: decisions, proposals that wait for approval, and outcomes."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

from console.models import Decision, DecisionCount, DecisionPage, FeedbackEvent, Messages
from console.ports import OutcomeCount, ProposedNudge
from console.queries import cursors
from console.readers import Readers

WAITING_DAYS = 7
"""A proposal older than this has expired."""

MAX_CHANGE_AGE_S = 2 * 86_400
"""How long before its proposal a risk change may be; usually a day."""

COLUMNS = (
    "decision_id, nudge_id, learner, course_run, decided_at, send_at, decision, reason, campaign, "
    "nullIf(channel, '') AS channel"
)
"""The ledger's columns of a :class:`console.models.Decision`."""

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

COUNT_WAITING = f"""
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

FAR_FUTURE = datetime(2100, 1, 1, tzinfo=UTC)
ALL_DECISIONS = ("send", "hold", "cancel")


def ledger(
    readers: Readers, runs: tuple[str, ...], decision: str | None, cursor: str | None, limit: int
) -> DecisionPage:
    """A page of decisions, the newest first.

    Raises:
        ProblemError: the cursor is not valid (422).
    """
    if not runs:
        return DecisionPage(items=[])
    before_s, before_id = (
        (int(FAR_FUTURE.timestamp()), "") if cursor is None else cursors.decode(cursor, "ledger", (int, str))
    )
    params: dict[str, Any] = {
        "runs": runs,
        "decisions": ALL_DECISIONS if decision is None else (decision,),
        "at": before_s,
        "id": before_id,
        "limit": limit + 1,
    }
    rows = readers.rows(LEDGER, params)
    items = [Decision(**row) for row in rows[:limit]]
    more = len(rows) > limit
    next_cursor = (
        cursors.encode("ledger", [int(items[-1].decided_at.timestamp()), items[-1].decision_id])
        if more
        else None
    )
    return DecisionPage(items=_with_feedback(readers, items), next=next_cursor)


def waiting(readers: Readers, runs: tuple[str, ...], now: datetime) -> list[tuple[Decision, ProposedNudge]]:
    """Proposals without an answer, the newest first."""
    if not runs:
        return []
    since = _waiting_since(now)
    rows = readers.rows(WAITING, {"runs": runs, "since": since})
    params = {"changes": tuple(row["risk_change_id"] for row in rows), "since": since - MAX_CHANGE_AGE_S}
    reasons_by_change = {row["risk_change_id"]: row for row in readers.rows(REASONS, params)} if rows else {}
    return [
        (Decision(**row), _proposed(row, reasons_by_change.get(row["risk_change_id"], {}))) for row in rows
    ]


def count_waiting(readers: Readers, runs: tuple[str, ...], now: datetime, answered: Iterable[str]) -> int:
    """The number of those proposals, without the ``answered`` ones, which the store may not have yet."""
    if not runs:
        return 0
    params = {"runs": runs, "since": _waiting_since(now), "answered": ("", *answered)}
    return int(readers.rows(COUNT_WAITING, params)[0]["waiting"])


def _waiting_since(now: datetime) -> int:
    return int((now - timedelta(days=WAITING_DAYS)).timestamp())


def _proposed(row: dict[str, Any], change_reasons: dict[str, Any]) -> ProposedNudge:
    parts = (change_reasons.get(name, ()) for name in ("features", "reasons", "contributions"))
    reasons = tuple(zip(*parts, strict=True))
    return ProposedNudge(row["course_run"], row["campaign"], row["variant"], row["policy_version"], reasons)


def nudge(readers: Readers, runs: tuple[str, ...], nudge_id: str) -> Decision | None:
    """The newest decision on a nudge within ``runs``; None if there is none."""
    rows = readers.rows(NUDGE, {"nudge": nudge_id, "runs": runs}) if runs else []
    return Decision(**rows[0]) if rows else None


def _with_feedback(readers: Readers, decisions: list[Decision]) -> list[Decision]:
    nudges = tuple(decision.nudge_id for decision in decisions if decision.nudge_id)
    if not nudges:
        return decisions
    feedback: dict[str, list[FeedbackEvent]] = {}
    for row in readers.rows(WORDS, {"nudges": nudges}):
        feedback.setdefault(row["nudge_id"], []).append(FeedbackEvent(**row))
    return [
        decision.model_copy(update={"words": feedback.get(decision.nudge_id or "", [])})
        for decision in decisions
    ]


def decisions(readers: Readers, runs: tuple[str, ...]) -> list[DecisionCount]:
    """The number of decisions by kind and reason."""
    return [DecisionCount(**row) for row in readers.rows(COUNTS, {"runs": runs})] if runs else []


def messages(readers: Readers, runs: tuple[str, ...]) -> list[Messages]:
    """The messages of each campaign by state."""
    return [Messages(**row) for row in readers.rows(BY_CAMPAIGN, {"runs": runs})] if runs else []


def outcomes(readers: Readers, runs: tuple[str, ...]) -> list[OutcomeCount]:
    """The counts of outcomes by arm."""
    return [OutcomeCount(**row) for row in readers.rows(OUTCOMES, {"runs": runs})] if runs else []
