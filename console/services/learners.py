"""Learners within a key's scope: today's list, one learner's risks, one enrolment's story, and wishes."""

from collections.abc import Iterable
from datetime import timedelta

from console.access import ApiKey
from console.errors import not_found
from console.models import Learner, Order, Preferences, Risk, RiskPage, Story
from console.parts import Parts
from console.queries import courses, learners, risks, wishes
from console.queries.risks import Filters
from console.recent import RecentFeedback
from console.services.people import People
from console.services.scope import Scope


class Learners:
    """Learners within a key's scope. recent: the feedback that this console has sent lately."""

    def __init__(self, parts: Parts, scope: Scope, people: People, recent: RecentFeedback) -> None:
        self._parts, self._scope, self._people, self._recent = parts, scope, people, recent

    def at_risk(
        self,
        key: ApiKey,
        only: Iterable[str],
        filters: Filters,
        order: Order,
        cursor: str | None,
        limit: int,
    ) -> RiskPage:
        """A page of the list of learners at risk, in the runs that are on.

        Raises:
            ProblemError: a run of ``only`` is not within the scope (404).
        """
        runs, newest = self._scope.runs(key, only), self._scope.newest_day()
        if newest is None:
            return RiskPage(as_of=None, total=0, items=[])
        last_days = self._scope.last_days()
        on = tuple(run for run in runs if not courses.is_over(last_days[run], newest))
        page = risks.page(self._parts.readers, on, newest, filters, order, cursor, limit)
        return RiskPage(
            as_of=newest + timedelta(days=1),
            total=page.total,
            items=self._people.named_risks(page.risks),
            next=page.next,
        )

    def learner(self, key: ApiKey, learner: str) -> Learner:
        """A learner's risks within the scope.

        Raises:
            ProblemError: there are none (404).
        """
        of_learner = self._risks(learner, self._scope.runs(key))
        person = self._people.person(learner)
        name = person.name if person else None
        return Learner(learner=learner, name=name, risks=self._people.named_risks(of_learner))

    def story(self, key: ApiKey, learner: str, run: str) -> Story:
        """One enrolment from its first estimate to now.

        Raises:
            ProblemError: the enrolment is not within the scope (404).
        """
        readers = self._parts.readers
        risk = self._risks(learner, self._scope.runs(key, [run]))[0]
        names = learners.names_of(readers, run, learner)
        history, activity = learners.history(readers, names)
        feedback = learners.feedback(readers, names)
        contact = wishes.contact_states(readers, [learner]).get(learner, wishes.ContactState())
        coming = [
            event.model_copy(update={"arrived": False})
            for event in self._recent.pending(learner, run, feedback)
        ]
        return Story(
            risk=self._people.named_risk(risk, wishes.restrictions_of(contact.consent, self._scope.now())),
            history=history,
            activity=activity,
            changes=learners.changes(readers, names),
            decisions=learners.decisions(readers, names),
            words=[*coming, *feedback],
            wishes=list(reversed(contact.changes)),
        )

    def preferences(self, key: ApiKey, learner: str) -> Preferences:
        """How a learner of the scope wants to be reached.

        Raises:
            ProblemError: the learner is not within the scope (404).
        """
        self.require(key, learner)
        return wishes.preferences(self._parts.readers, learner, self._scope.now())

    def require(self, key: ApiKey, learner: str, run: str | None = None) -> None:
        """Do nothing where the learner (in the course run, if given) is within the scope.

        Raises:
            ProblemError: the learner is not (404).
        """
        self._risks(learner, self._scope.runs(key, [] if run is None else [run]))

    def _risks(self, learner: str, runs: tuple[str, ...]) -> list[Risk]:
        of_learner = risks.of_learners(self._parts.readers, runs, [learner])
        if not of_learner:
            raise not_found("no enrolment of this learner is within your courses")
        return of_learner
