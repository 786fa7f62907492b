"""Adds to risks and decisions: learners' names, their restrictions, and feedback not yet in the store."""

from collections.abc import Iterable, Sequence

from console.models import Decision, Risk
from console.parts import Parts
from console.ports import Person
from console.queries import wishes
from console.recent import RecentFeedback
from console.restrictions import Restrictions
from console.services.scope import Scope
from console.steps import respect_restrictions

INSTRUCTORS = ("helped", "not_at_risk", "in_contact")
"""The kinds of feedback that instructors give on a learner's risk."""


class People:
    """Completes risks and decisions. recent: the feedback that this console has sent lately."""

    def __init__(self, parts: Parts, scope: Scope, recent: RecentFeedback) -> None:
        self._parts, self._scope, self._recent = parts, scope, recent

    def person(self, learner: str) -> Person | None:
        """The learner behind a pseudonym; None if the directory does not know."""
        return self._parts.directory.person(learner) if self._parts.directory else None

    def named_risks(self, risks: Sequence[Risk]) -> list[Risk]:
        """The risks as by :meth:`named_risk`, with one query for all learners."""
        unwanted = self._unwanted(risk.learner for risk in risks)
        return [self.named_risk(risk, unwanted.get(risk.learner)) for risk in risks]

    def named_risk(self, risk: Risk, restrictions: Restrictions | None) -> Risk:
        """The risk with the learner's name and restrictions, and with feedback not yet in the store."""
        person = self.person(risk.learner)
        recent = self._recent.pending(risk.learner, risk.course_run)
        feedback = [event for event in recent if event.kind in INSTRUCTORS]
        changes: dict[str, object] = {"name": person.name if person else None, "unwanted": restrictions}
        changes["step"] = respect_restrictions(risk.step, restrictions)
        if feedback and (risk.answered is None or feedback[0].at >= risk.answered.at):
            arrived = risk.answered is not None and feedback[0].at == risk.answered.at
            changes["answered"] = feedback[0].model_copy(update={"arrived": arrived})
        return risk.model_copy(update=changes)

    def named_decisions(self, decisions: Sequence[Decision]) -> list[Decision]:
        """The decisions with learners' names and restrictions."""
        unwanted = self._unwanted(decision.learner for decision in decisions)
        people = {decision.learner: self.person(decision.learner) for decision in decisions}
        names = {learner: person.name for learner, person in people.items() if person}
        return [
            decision.model_copy(
                update={"name": names.get(decision.learner), "unwanted": unwanted.get(decision.learner)}
            )
            for decision in decisions
        ]

    def _unwanted(self, learners: Iterable[str]) -> dict[str, Restrictions | None]:
        """Learner → restrictions; learners who never expressed a wish are left out."""
        contacts, now = wishes.contact_states(self._parts.readers, learners), self._scope.now()
        return {
            learner: wishes.restrictions_of(contact.consent, now) for learner, contact in contacts.items()
        }
