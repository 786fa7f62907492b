"""What users of the console send on: feedback on a learner, answers to proposals, learners' wishes."""

import uuid
from http import HTTPStatus
from typing import Literal

from console.access import ApiKey
from console.errors import ProblemError, not_found
from console.models import Accepted, FeedbackEvent, InstructorFeedback, PreferencesUpdate
from console.parts import Parts
from console.ports import Outbox, OutboxDownError, Person
from console.preference_messages import build_message, require_allowed
from console.queries import wishes
from console.recent import RecentFeedback
from console.services.learners import Learners
from console.services.nudges import Nudges
from console.services.people import People
from console.services.scope import Scope
from schemas.learner import NudgeFeedback


class Feedback:
    """Publishes messages. recent: where they are remembered until they have come back by the store.

    Each method raises ``ProblemError`` where the key may not act (403), where the learner or the nudge is not
    within its scope (404), and where the console does not know who the pseudonym is (409); and
    ``OutboxDownError`` where the console was started without a broker.
    """

    def __init__(
        self,
        parts: Parts,
        scope: Scope,
        people: People,
        learners: Learners,
        nudges: Nudges,
        recent: RecentFeedback,
    ) -> None:
        self._parts, self._scope, self._people = parts, scope, people
        self._learners, self._nudges, self._recent = learners, nudges, recent

    def send(self, key: ApiKey, feedback: InstructorFeedback) -> Accepted:
        """Send an instructor's feedback on a learner."""
        _require_acting(key)
        self._learners.require(key, feedback.learner, feedback.course_run)
        if feedback.nudge_id is not None:
            about = self._nudges.nudge(key, feedback.nudge_id, [feedback.course_run])
            if about is None or about.learner != feedback.learner:
                raise not_found("no nudge of this id went to this learner in this course run")
        return self._publish(key, feedback.learner, feedback.course_run, feedback.kind, feedback.nudge_id)

    def answer(self, key: ApiKey, nudge_id: str, verdict: Literal["approved", "declined"]) -> Accepted:
        """Approve or decline a nudge that waits.

        Raises:
            ProblemError: also where it does not wait any more (409).
        """
        _require_acting(key)
        waiting = [decision for decision in self._nudges.waiting(key) if decision.nudge_id == nudge_id]
        if not waiting:
            if self._nudges.nudge(key, nudge_id) is None:
                raise not_found("no such nudge is within your courses")
            raise ProblemError(HTTPStatus.CONFLICT, "this nudge does not wait for an answer (any more)")
        return self._publish(key, waiting[0].learner, waiting[0].course_run, verdict, nudge_id)

    def set_wishes(self, key: ApiKey, learner: str, wanted: PreferencesUpdate) -> Accepted:
        """Send how a learner wants to be reached.

        Raises:
            ProblemError: also where that would take back a *no*.
        """
        _require_acting(key)
        self._learners.require(key, learner)
        person, outbox = self._recipient(learner)
        event_id = _new_id()
        message = build_message(wanted, key, person.learner, self._scope.now(), event_id)
        contact = wishes.contact_states(self._parts.readers, [learner]).get(learner, wishes.ContactState())
        require_allowed(message, contact.consent)
        outbox.publish(message)
        return Accepted(event_id=event_id)

    def _recipient(self, learner: str) -> tuple[Person, Outbox]:
        person, outbox = self._people.person(learner), self._parts.outbox
        if outbox is None:
            raise OutboxDownError("this console was started without a broker")
        if person is None:
            raise ProblemError(
                HTTPStatus.CONFLICT,
                "nobody has told the console who this pseudonym is, so nothing can be sent on them yet",
            )
        return person, outbox

    def _publish(
        self,
        key: ApiKey,
        learner: str,
        run: str,
        kind: Literal["helped", "not_at_risk", "in_contact", "approved", "declined"],
        nudge_id: str | None,
    ) -> Accepted:
        person, outbox = self._recipient(learner)
        now, event_id = self._scope.now(), _new_id()
        message: NudgeFeedback = {
            "type": "feedback",
            "event_id": event_id,
            "learner": person.learner,
            "course_run": run,
            "nudge_id": nudge_id,
            "kind": kind,
            "occurred_at": now,
            "source": key.name,
        }
        outbox.publish(message)
        event = FeedbackEvent(kind=kind, at=now, course_run=run, nudge_id=nudge_id, arrived=False)
        self._recent.add(learner, event)
        return Accepted(event_id=event_id)


def _require_acting(key: ApiKey) -> None:
    if not key.acts:
        raise ProblemError(HTTPStatus.FORBIDDEN, "a viewer's key reads only")


def _new_id() -> str:
    return uuid.uuid4().hex
