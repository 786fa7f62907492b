"""Queries of learners' contact preferences, one query for a whole page."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import orjson

from console.models import Preferences
from console.readers import Readers
from console.restrictions import PreferenceChange, Restrictions
from schemas.consent import CHANNELS, FOREVER, Consent, opt_in_scopes
from schemas.consent import PAUSED as PAUSE

WISHES_QUERY = """
SELECT learner, fact, at, nudge_id, detail
FROM learner_facts FINAL
WHERE learner IN %(learners)s AND fact IN ('preferences', 'unsubscribed')
ORDER BY at, fact_id
"""

CHANNELS_OF = """
SELECT nudge_id, argMax(channel, decided_at) AS channel
FROM nudge_ledger
WHERE learner IN %(learners)s AND nudge_id IN %(nudges)s AND channel != ''
GROUP BY nudge_id
"""


@dataclass(frozen=True, slots=True)
class ContactState:
    """A learner's contact preferences after all messages; ``changes``: the oldest first."""

    consent: Consent = field(default_factory=Consent)
    timezone: str | None = None
    changes: tuple[PreferenceChange, ...] = ()


def contact_states(readers: Readers, learners: Iterable[str]) -> dict[str, ContactState]:
    """Learner → contact state; learners without any message are left out."""
    ids = tuple(set(learners))
    rows = readers.rows(WISHES_QUERY, {"learners": ids}) if ids else []
    channels = _channels_of_nudges(readers, ids, rows)
    states: dict[str, ContactState] = {}
    for row in rows:
        state = states.get(row["learner"], ContactState())
        if row["fact"] == "preferences":
            states[row["learner"]] = _apply_preferences(state, row)
        else:
            message = {"occurred_at": row["at"]}
            channel = _named_channel(row) or channels.get(row["nudge_id"], "")
            consent = state.consent.after_unsubscription(message, channel)
            states[row["learner"]] = ContactState(consent, state.timezone, state.changes)
    return states


def preferences(readers: Readers, learner: str, now: datetime) -> Preferences:
    """The learner's contact preferences; a pause that is over is left out."""
    state = contact_states(readers, [learner]).get(learner, ContactState())
    restrictions = restrictions_of(state.consent, now)
    shown = restrictions.model_dump() if restrictions else {"opted_out": [], "paused_until": None}
    return Preferences(learner=learner, timezone=state.timezone, **shown)


def restrictions_of(consent: Consent, now: datetime) -> Restrictions | None:
    """The learner's restrictions now; None where there are none."""
    pause = consent.paused_until
    since = consent.since
    if pause is not None and pause <= now.timestamp():
        pause = None
        del since[PAUSE]
    if not since:
        return None
    return Restrictions(
        opted_out=list(consent.opted_out),
        paused_until=None if pause is None else as_datetime(pause),
        suppressed=consent.suppressed,
        since={kind: as_datetime(since_s) for kind, since_s in since.items()},
    )


def as_datetime(epoch_s: int) -> datetime:
    """Epoch seconds as a datetime, limited to the largest that can be represented."""
    return datetime.fromtimestamp(min(epoch_s, FOREVER), UTC)


def _apply_preferences(before: ContactState, row: dict[str, Any]) -> ContactState:
    detail = orjson.loads(row["detail"] or "{}")
    message = detail | {"occurred_at": row["at"]}
    until = detail.get("paused_until")
    change = PreferenceChange(
        at=row["at"],
        said_by=detail.get("said_by"),
        source=detail.get("source"),
        reason=detail.get("reason"),
        closes=[*detail.get("opted_out", ()), *(["suppressed"] if detail.get("suppressed") else ())],
        paused_until=None if until is None else as_datetime(until),
        opens=list(_reopened(before.consent, message)),
        withheld=before.consent.refused_opt_ins(message),
    )
    consent = before.consent.after_preferences(message)
    return ContactState(consent, detail.get("timezone", before.timezone), (*before.changes, change))


def _reopened(before: Consent, message: dict[str, Any]) -> Iterator[str]:
    """The kinds that were closed before a message and are open after it."""
    after = before.after_preferences(message)
    yield from (
        kind for kind in opt_in_scopes(message) if kind in before.opt_outs and kind not in after.opt_outs
    )


def _named_channel(row: dict[str, Any]) -> str:
    """The channel named by an unsubscription: the part of its detail before the reason."""
    name = row["detail"].partition(":")[0]
    return name if name in CHANNELS else ""


def _channels_of_nudges(
    readers: Readers, learners: tuple[str, ...], rows: list[dict[str, Any]]
) -> dict[str, str]:
    """Nudge id → channel, for unsubscriptions by a nudge that name no channel."""
    nudges = {
        row["nudge_id"]
        for row in rows
        if row["fact"] == "unsubscribed" and row["nudge_id"] and not _named_channel(row)
    }
    if not nudges:
        return {}
    channel_rows = readers.rows(CHANNELS_OF, {"learners": learners, "nudges": tuple(nudges)})
    return {row["nudge_id"]: row["channel"] for row in channel_rows}
