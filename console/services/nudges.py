"""Nudges within a key's scope: the ledger, proposals that wait for an answer, and what came of them."""

from collections.abc import Iterable

from console.access import ApiKey
from console.models import Decision, DecisionPage, Interventions, Risk
from console.parts import Parts
from console.queries import nudges, risks
from console.recent import RecentFeedback
from console.services.people import People
from console.services.scope import Scope
from console.uplift import uplift


class Nudges:
    """Nudges within a key's scope. recent: the feedback that this console has sent lately."""

    def __init__(self, parts: Parts, scope: Scope, people: People, recent: RecentFeedback) -> None:
        self._parts, self._scope, self._people, self._recent = parts, scope, people, recent

    def ledger(
        self, key: ApiKey, only: Iterable[str], decision: str | None, cursor: str | None, limit: int
    ) -> DecisionPage:
        """A page of the ledger.

        Raises:
            ProblemError: a run of ``only`` is not within the scope (404).
        """
        page = nudges.ledger(self._parts.readers, self._scope.runs(key, only), decision, cursor, limit)
        return page.model_copy(update={"items": self._people.named_decisions(page.items)})

    def waiting(self, key: ApiKey) -> list[Decision]:
        """Proposals that wait for a yes or a no."""
        wording, answered = self._parts.wording, self._recent.verdicts()
        waiting = nudges.waiting(self._parts.readers, self._scope.runs(key), self._scope.now())
        return self._people.named_decisions(
            [
                decision.model_copy(update={"text": wording.text(proposed) if wording else None})
                for decision, proposed in waiting
                if decision.nudge_id not in answered
            ]
        )

    def waiting_count(self, key: ApiKey) -> int:
        """How many proposals wait, without asking for them: every page shows it."""
        return nudges.count_waiting(
            self._parts.readers, self._scope.runs(key), self._scope.now(), self._recent.verdicts()
        )

    def proposals(self, key: ApiKey) -> list[tuple[Decision, Risk | None]]:
        """Those proposals, each with the risk that it answers: nobody should approve without knowing why."""
        waiting = self.waiting(key)
        answered = risks.of_learners(
            self._parts.readers,
            tuple({decision.course_run for decision in waiting}),
            {decision.learner for decision in waiting},
        )
        by_enrolment = {(risk.learner, risk.course_run): risk for risk in answered}
        return [(decision, by_enrolment.get((decision.learner, decision.course_run))) for decision in waiting]

    def interventions(self, key: ApiKey, only: Iterable[str] = ()) -> Interventions:
        """What was decided, and what is known of its effect.

        Raises:
            ProblemError: a run of ``only`` is not within the scope (404).
        """
        readers, runs, effects = self._parts.readers, self._scope.runs(key, only), self._parts.effects
        estimates = effects.differences(nudges.outcomes(readers, runs)) if effects else []
        return Interventions(
            decisions=nudges.decisions(readers, runs),
            messages=nudges.messages(readers, runs),
            uplift=[uplift(estimate) for estimate in estimates],
        )

    def nudge(self, key: ApiKey, nudge_id: str, only: Iterable[str] = ()) -> Decision | None:
        """The newest decision on a nudge within the scope, if there is one.

        Raises:
            ProblemError: a run of ``only`` is not within the scope (404).
        """
        return nudges.nudge(self._parts.readers, self._scope.runs(key, only), nudge_id)
