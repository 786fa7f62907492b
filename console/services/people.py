"""Who a pseudonym is, and what is filled in from that: names, unwanted channels, feedback on its way."""

from collections.abc import Iterable, Sequence

from console.models import Decision, Risk
from console.parts import Parts
from console.ports import Person
from console.queries import wishes
from console.recent import Recent
from console.services.scope import Scope
from console.steps import welcome
from console.unwanted import Unwanted

INSTRUCTORS = ("helped", "not_at_risk", "in_contact")
"""The kinds of feedback that instructors give on a learner's risk."""


class People:
    """Names risks and decisions. recent: the feedback that this console has sent lately."""

    def __init__(self, parts: Parts, scope: Scope, recent: Recent) -> None:
        self._parts, self._scope, self._recent = parts, scope, recent

    def person(self, learner: str) -> Person | None:
        """Who a pseudonym is, where the directory knows."""
        return self._parts.directory.person(learner) if self._parts.directory else None

    def named_risks(self, risks: Sequence[Risk]) -> list[Risk]:
        """The risks as :meth:`named_risk` gives them, by one question for all learners."""
        unwanted = self._unwanted(risk.learner for risk in risks)
        return [self.named_risk(risk, unwanted.get(risk.learner)) for risk in risks]

    def named_risk(self, risk: Risk, unwanted: Unwanted | None) -> Risk:
        """With the learner's name and what they do not want, and with feedback that is still on its way."""
        person = self.person(risk.learner)
        recent = self._recent.of(risk.learner, risk.course_run)
        words = [word for word in recent if word.kind in INSTRUCTORS]
        changes: dict[str, object] = {"name": person.name if person else None, "unwanted": unwanted}
        changes["step"] = welcome(risk.step, unwanted)
        if words and (risk.answered is None or words[0].at >= risk.answered.at):
            arrived = risk.answered is not None and words[0].at == risk.answered.at
            changes["answered"] = words[0].model_copy(update={"arrived": arrived})
        return risk.model_copy(update=changes)

    def named_decisions(self, decisions: Sequence[Decision]) -> list[Decision]:
        """With learners' names and what they do not want."""
        unwanted = self._unwanted(decision.learner for decision in decisions)
        people = {decision.learner: self.person(decision.learner) for decision in decisions}
        names = {learner: person.name for learner, person in people.items() if person}
        return [
            decision.model_copy(
                update={"name": names.get(decision.learner), "unwanted": unwanted.get(decision.learner)}
            )
            for decision in decisions
        ]

    def _unwanted(self, learners: Iterable[str]) -> dict[str, Unwanted | None]:
        """What each of the learners does not want; whoever never expressed a wish is not among them."""
        known, now = wishes.known(self._parts.readers, learners), self._scope.now()
        return {learner: wishes.unwanted(of_learner.consent, now) for learner, of_learner in known.items()}
