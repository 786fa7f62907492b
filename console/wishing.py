"""A key's word on how a learner wants to be reached, as a message; and what such a word may not do."""

from datetime import datetime
from http import HTTPStatus

from console.access import ApiKey
from console.errors import ProblemError
from console.models import Wishes
from schemas.consent import PAUSED, SUPPRESSED, Consent
from schemas.learner import Preferences

DOORS = {PAUSED: "the pause", SUPPRESSED: "the suppression list"}


def message_of(wishes: Wishes, key: ApiKey, learner: str, at: datetime, event_id: str) -> Preferences:
    """The message that a worker and a notifier take in. What is left out stays as it is."""
    message: Preferences = {
        "type": "preferences",
        "event_id": event_id,
        "learner": learner,
        "occurred_at": at,
        "said_by": "admin" if key.role == "admin" else "instructor",
        "source": key.name,
    }
    given = wishes.model_fields_set
    if "timezone" in given:
        message["timezone"] = wishes.timezone
    if "opted_out" in given:
        message["opted_out"] = wishes.opted_out or []
    if "paused_until" in given:
        message["paused_until"] = wishes.paused_until
    if wishes.reason:
        message["reason"] = wishes.reason
    return message


def check(message: Preferences, consent: Consent) -> None:
    """Raises a problem where the message would take back a *no* and may not.

    A courtesy: whoever publishes to the topic meets the same rule in the worker and the notifier.
    """
    withheld = consent.refused_opt_ins(message)
    if not withheld:
        return
    what = ", ".join(DOORS.get(door, door) for door in withheld)
    if message.get("said_by") == "admin":
        raise ProblemError(
            HTTPStatus.UNPROCESSABLE_ENTITY,
            f"the learner said no to {what}; an admin who takes that back gives a reason, which is kept",
        )
    raise ProblemError(
        HTTPStatus.FORBIDDEN,
        f"the learner said no to {what}; only the learner, or an admin with a reason, takes that back",
    )
