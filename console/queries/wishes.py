"""What learners want, from what the store keeps of their words: one question for a whole page."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import orjson

from console.models import Preferences
from console.readers import Readers
from console.unwanted import Unwanted, Wished
from schemas.consent import CHANNELS, FOREVER, Consent, opt_in_scopes
from schemas.consent import PAUSED as PAUSE

SAID = """
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
class Known:
    """All that one learner, and others on their behalf, have said; ``told`` with the oldest first."""

    consent: Consent = field(default_factory=Consent)
    timezone: str | None = None
    told: tuple[Wished, ...] = ()


def known(readers: Readers, learners: Iterable[str]) -> dict[str, Known]:
    """What is known of each of the learners; whoever said nothing is not among them."""
    asked = tuple(set(learners))
    rows = readers.rows(SAID, {"learners": asked}) if asked else []
    channels = _channels(readers, asked, rows)
    found: dict[str, Known] = {}
    for row in rows:
        before = found.get(row["learner"], Known())
        if row["fact"] == "preferences":
            found[row["learner"]] = _after(before, row)
        else:
            message = {"occurred_at": row["at"]}
            channel = _channel(row) or channels.get(row["nudge_id"], "")
            consent = before.consent.after_unsubscription(message, channel)
            found[row["learner"]] = Known(consent, before.timezone, before.told)
    return found


def preferences(readers: Readers, learner: str, now: datetime) -> Preferences:
    """How the learner wants to be reached; a pause that is over is none."""
    found = known(readers, [learner]).get(learner, Known())
    no = unwanted(found.consent, now)
    shown = no.model_dump() if no else {"opted_out": [], "paused_until": None}
    return Preferences(learner=learner, timezone=found.timezone, **shown)


def unwanted(consent: Consent, now: datetime) -> Unwanted | None:
    """What the learner does not want now; None where nothing is closed."""
    pause = consent.paused_until
    since = consent.since
    if pause is not None and pause <= now.timestamp():
        pause = None
        del since[PAUSE]
    if not since:
        return None
    return Unwanted(
        opted_out=list(consent.opted_out),
        paused_until=None if pause is None else moment(pause),
        suppressed=consent.suppressed,
        since={door: moment(at) for door, at in since.items()},
    )


def moment(at: int) -> datetime:
    """Epoch seconds as a moment that can be written."""
    return datetime.fromtimestamp(min(at, FOREVER), UTC)


def _after(before: Known, row: dict[str, Any]) -> Known:
    said = orjson.loads(row["detail"] or "{}")
    message = said | {"occurred_at": row["at"]}
    until = said.get("paused_until")
    told = Wished(
        at=row["at"],
        said_by=said.get("said_by"),
        source=said.get("source"),
        reason=said.get("reason"),
        closes=[*said.get("opted_out", ()), *(["suppressed"] if said.get("suppressed") else ())],
        paused_until=None if until is None else moment(until),
        opens=list(_opened(before.consent, message)),
        withheld=before.consent.refused_opt_ins(message),
    )
    consent = before.consent.after_preferences(message)
    return Known(consent, said.get("timezone", before.timezone), (*before.told, told))


def _opened(before: Consent, message: dict[str, Any]) -> Iterator[str]:
    """The doors that a message opens which were closed before it."""
    after = before.after_preferences(message)
    yield from (
        door for door in opt_in_scopes(message) if door in before.opt_outs and door not in after.opt_outs
    )


def _channel(row: dict[str, Any]) -> str:
    """Of an unsubscription: the channel that it names, which stands before its reason if it has one."""
    name = row["detail"].partition(":")[0]
    return name if name in CHANNELS else ""


def _channels(readers: Readers, learners: tuple[str, ...], rows: list[dict[str, Any]]) -> dict[str, str]:
    """The channels of the nudges by which somebody unsubscribed without naming one."""
    nudges = {
        row["nudge_id"]
        for row in rows
        if row["fact"] == "unsubscribed" and row["nudge_id"] and not _channel(row)
    }
    if not nudges:
        return {}
    found = readers.rows(CHANNELS_OF, {"learners": learners, "nudges": tuple(nudges)})
    return {row["nudge_id"]: row["channel"] for row in found}
