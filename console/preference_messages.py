"""Builds and checks the message by which a user of the console changes a learner's contact preferences."""

from datetime import datetime
from http import HTTPStatus

from console.access import ApiKey
from console.errors import ProblemError
from console.models import PreferencesUpdate
from schemas.consent import PAUSED, SUPPRESSED, Consent
from schemas.learner import Preferences

CHANNEL_LABELS = {PAUSED: "the pause", SUPPRESSED: "the suppression list"}


def build_message(
    update: PreferencesUpdate, key: ApiKey, learner: str, occurred_at: datetime, event_id: str
) -> Preferences:
    """The message for workers and notifiers. Fields that are left out keep their values."""
    message: Preferences = {
        "type": "preferences",
        "event_id": event_id,
        "learner": learner,
        "occurred_at": occurred_at,
        "said_by": "admin" if key.role == "admin" else "instructor",
        "source": key.name,
    }
    fields = update.model_fields_set
    if "timezone" in fields:
        message["timezone"] = update.timezone
    if "opted_out" in fields:
        message["opted_out"] = update.opted_out or []
    if "paused_until" in fields:
        message["paused_until"] = update.paused_until
    if update.reason:
        message["reason"] = update.reason
    return message


def require_allowed(message: Preferences, consent: Consent) -> None:
    """Check that the message takes back no *no* of the learner without permission.

    For a clear error only: worker and notifier apply the same rule to every message of the topic.

    Raises:
        ProblemError: it would (403), or an admin gave no reason (422).
    """
    withheld = consent.refused_opt_ins(message)
    if not withheld:
        return
    names = ", ".join(CHANNEL_LABELS.get(channel, channel) for channel in withheld)
    if message.get("said_by") == "admin":
        raise ProblemError(
            HTTPStatus.UNPROCESSABLE_ENTITY,
            f"the learner said no to {names}; an admin who takes that back gives a reason, which is kept",
        )
    raise ProblemError(
        HTTPStatus.FORBIDDEN,
        f"the learner said no to {names}; only the learner, or an admin with a reason, takes that back",
    )
