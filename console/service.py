"""What the API and the pages both do: questions within a key's scope, and words that are sent on.

The one place where scopes are applied, names are filled in and messages are made. Knows no HTTP but
the problems that it raises.
"""

import threading
import time
import uuid
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from http import HTTPStatus
from typing import Literal

from console.access import ApiKey
from console.errors import ProblemError, not_found
from console.models import (
    Accepted,
    Course,
    CourseStory,
    Decision,
    DecisionPage,
    Interventions,
    Learner,
    Order,
    Preferences,
    Question,
    Risk,
    RiskPage,
    Said,
    Story,
    WhatIfAnswer,
    Why,
    Wishes,
    Word,
)
from console.ports import (
    Directory,
    Effects,
    NoModelError,
    Outbox,
    OutboxDownError,
    Person,
    WhatIf,
    Wording,
)
from console.queries import courses, learners, nudges, risks, wishes
from console.queries.risks import Filters
from console.readers import Readers
from console.recent import Recent
from console.steps import welcome
from console.unwanted import Unwanted
from console.uplift import uplift
from console.wishing import check, message_of
from schemas.learner import NudgeFeedback

RUNS_S = 1.0
"""How long the list of course runs is remembered: it is asked for with every request."""

STALE_DAYS = 2
"""Live: estimates older than this many days are stale, and the page says so."""

Clock = Callable[[], datetime]


def wall_clock() -> datetime:
    """Now, in UTC."""
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class Parts:
    """What the console is put together from. See :mod:`console.ports` for those that may be None.

    replay: the store holds a past (or simulated) term, so that "now" is its newest day and not today.
    """

    readers: Readers
    directory: Directory | None = None
    outbox: Outbox | None = None
    what_if: WhatIf | None = None
    effects: Effects | None = None
    wording: Wording | None = None
    replay: bool = False
    clock: Clock = wall_clock


@dataclass(slots=True)
class _Runs:
    last_days: dict[str, date] = field(default_factory=dict)
    until: float = 0.0
    lock: threading.Lock = field(default_factory=threading.Lock)


class Service:
    """Answers for one key at a time. Thread-safe."""

    def __init__(self, parts: Parts) -> None:
        self.parts = parts
        self.recent = Recent()
        self._runs = _Runs()

    # -- scope --------------------------------------------------------------------------------------

    def runs(self, key: ApiKey, only: Iterable[str] = ()) -> tuple[str, ...]:
        """The course runs within the key's scope; of ``only``, all must be, or it is a 404."""
        seen = tuple(name for name in self._last_days() if key.sees(name))
        wanted = tuple(dict.fromkeys(only))
        for name in wanted:
            if name not in seen:
                raise not_found(f"no course run {name!r} is within your courses")
        return wanted or seen

    def newest_day(self) -> date | None:
        """The newest day that the store has closed."""
        return max(self._last_days().values(), default=None)

    def _last_days(self) -> dict[str, date]:
        """Every course run with its newest day; asked for once a second, an empty store each time."""
        runs = self._runs
        with runs.lock:
            if time.monotonic() > runs.until:
                runs.last_days = courses.last_days(self.parts.readers)
                runs.until = time.monotonic() + RUNS_S if runs.last_days else 0.0
            return runs.last_days

    def as_of(self) -> date:
        """The day that the newest estimates are for."""
        return (self.newest_day() or self.parts.clock().date()) + timedelta(days=1)

    def now(self) -> datetime:
        """Now as the store's time goes: the wall clock, or the newest day where a past term is shown."""
        now = self.parts.clock().astimezone(UTC).replace(microsecond=0)
        newest = self.newest_day() if self.parts.replay else None
        return now if newest is None else datetime.combine(newest + timedelta(days=1), now.time(), UTC)

    def stale(self, newest: date | None) -> bool:
        """Whether the newest day is older than live operation would leave it."""
        if self.parts.replay or newest is None:
            return False
        return (self.parts.clock().astimezone(UTC).date() - newest).days > STALE_DAYS

    # -- names --------------------------------------------------------------------------------------

    def person(self, learner: str) -> Person | None:
        """Who it is, where somebody has told."""
        return self.parts.directory.person(learner) if self.parts.directory else None

    def _unwanted(self, learners: Iterable[str]) -> dict[str, Unwanted | None]:
        """What each of the learners does not want; whoever never said anything is not among them."""
        found, now = wishes.known(self.parts.readers, learners), self.now()
        return {learner: wishes.unwanted(one.consent, now) for learner, one in found.items()}

    def _all_named(self, found: Sequence[Risk]) -> list[Risk]:
        noes = self._unwanted(risk.learner for risk in found)
        return [self._named(risk, noes.get(risk.learner)) for risk in found]

    def _named(self, risk: Risk, no: Unwanted | None) -> Risk:
        """With the learner's name and what they do not want, and with a word that is still on its way."""
        person = self.person(risk.learner)
        words = [one for one in self.recent.of(risk.learner, risk.course_run) if one.kind in INSTRUCTORS]
        changes: dict[str, object] = {"name": person.name if person else None, "unwanted": no}
        changes["step"] = welcome(risk.step, no)
        if words and (risk.answered is None or words[0].at >= risk.answered.at):
            arrived = risk.answered is not None and words[0].at == risk.answered.at
            changes["answered"] = words[0].model_copy(update={"arrived": arrived})
        return risk.model_copy(update=changes)

    def _named_decisions(self, decisions: Sequence[Decision]) -> list[Decision]:
        noes = self._unwanted(one.learner for one in decisions)
        people = {one.learner: self.person(one.learner) for one in decisions}
        names = {learner: person.name for learner, person in people.items() if person}
        return [
            one.model_copy(update={"name": names.get(one.learner), "unwanted": noes.get(one.learner)})
            for one in decisions
        ]

    # -- questions ----------------------------------------------------------------------------------

    def courses(self, key: ApiKey) -> list[Course]:
        """Every course run of the scope."""
        return courses.overview(self.parts.readers, self.runs(key), self.newest_day() or date.min)

    def course(self, key: ApiKey, run: str) -> CourseStory:
        """A course run from its start."""
        self.runs(key, [run])
        story = courses.story(self.parts.readers, run, self.newest_day() or date.min)
        if story is None:
            raise not_found(f"nothing is known of {run!r} yet")
        return story

    def risks(
        self,
        key: ApiKey,
        only: Iterable[str],
        filters: Filters,
        order: Order,
        cursor: str | None,
        limit: int,
    ) -> RiskPage:
        """A page of the list of learners at risk, in the runs that are on."""
        runs, newest = self.runs(key, only), self.newest_day()
        if newest is None:
            return RiskPage(as_of=None, total=0, items=[])
        last_days = self._last_days()
        on = tuple(run for run in runs if not courses.is_over(last_days[run], newest))
        found = risks.page(self.parts.readers, on, newest, filters, order, cursor, limit)
        return RiskPage(
            as_of=newest + timedelta(days=1),
            total=found.total,
            items=self._all_named(found.risks),
            next=found.next,
        )

    def learner(self, key: ApiKey, learner: str) -> Learner:
        """A learner's risks within the scope."""
        found = risks.of_learners(self.parts.readers, self.runs(key), [learner])
        if not found:
            raise not_found("no enrolment of this learner is within your courses")
        person = self.person(learner)
        name = person.name if person else None
        return Learner(learner=learner, name=name, risks=self._all_named(found))

    def story(self, key: ApiKey, learner: str, run: str) -> Story:
        """One enrolment from its first estimate to now."""
        readers = self.parts.readers
        found = risks.of_learners(readers, self.runs(key, [run]), [learner])
        if not found:
            raise not_found("no enrolment of this learner is within your courses")
        history, activity = learners.history(readers, run, learner)
        words = learners.words(readers, run, learner)
        said = wishes.known(readers, [learner]).get(learner, wishes.Known())
        coming = [one.model_copy(update={"arrived": False}) for one in self.recent.of(learner, run, words)]
        return Story(
            risk=self._named(found[0], wishes.unwanted(said.consent, self.now())),
            history=history,
            activity=activity,
            changes=learners.changes(readers, run, learner),
            decisions=learners.decisions(readers, run, learner),
            words=[*coming, *words],
            wishes=list(reversed(said.told)),
        )

    def ledger(
        self, key: ApiKey, only: Iterable[str], decision: str | None, cursor: str | None, limit: int
    ) -> DecisionPage:
        """A page of the ledger."""
        page = nudges.ledger(self.parts.readers, self.runs(key, only), decision, cursor, limit)
        return page.model_copy(update={"items": self._named_decisions(page.items)})

    def waiting(self, key: ApiKey) -> list[Decision]:
        """Proposals that wait for a yes or a no."""
        wording, answered = self.parts.wording, self.recent.verdicts()
        found = nudges.waiting(self.parts.readers, self.runs(key), self.now())
        return self._named_decisions(
            [
                one.model_copy(update={"text": wording.text(proposed) if wording else None})
                for one, proposed in found
                if one.nudge_id not in answered
            ]
        )

    def how_many_wait(self, key: ApiKey) -> int:
        """How many proposals wait, without asking for them: every page says it."""
        return nudges.how_many_wait(self.parts.readers, self.runs(key), self.now(), self.recent.verdicts())

    def proposals(self, key: ApiKey) -> list[tuple[Decision, Risk | None]]:
        """Those proposals, each with the risk that it answers: nobody should say yes without knowing why."""
        waiting = self.waiting(key)
        found = risks.of_learners(
            self.parts.readers,
            tuple({one.course_run for one in waiting}),
            {one.learner for one in waiting},
        )
        by_enrolment = {(one.learner, one.course_run): one for one in found}
        return [(one, by_enrolment.get((one.learner, one.course_run))) for one in waiting]

    def interventions(self, key: ApiKey, only: Iterable[str] = ()) -> Interventions:
        """What was decided, and what is known of its effect."""
        readers, runs, effects = self.parts.readers, self.runs(key, only), self.parts.effects
        found = effects.of(nudges.outcomes(readers, runs)) if effects else []
        return Interventions(
            decisions=nudges.decisions(readers, runs),
            messages=nudges.messages(readers, runs),
            uplift=[uplift(one) for one in found],
        )

    def preferences(self, key: ApiKey, learner: str) -> Preferences:
        """How a learner of the scope wants to be reached."""
        self.learner(key, learner)
        return wishes.preferences(self.parts.readers, learner, self.now())

    def what_if(self, key: ApiKey, question: Question) -> WhatIfAnswer:
        """Score a learner who need not exist."""
        if self.parts.what_if is None:
            raise NoModelError("this console has no model")
        self.runs(key, [question.course_run])
        found = self.parts.what_if.estimate(question.course_run, question.features)
        return WhatIfAnswer(
            probability=found.probability,
            base_probability=found.base_probability,
            reasons=[Why(text=one.text, contribution=one.contribution) for one in found.effects],
            model_version=found.model_version,
            model_state=found.model_state,
            day=found.day,
        )

    # -- words that are sent on ---------------------------------------------------------------------

    def say(self, key: ApiKey, said: Said) -> Accepted:
        """Send an instructor's word on a learner."""
        self._may_act(key)
        self.story_exists(key, said.learner, said.course_run)
        if said.nudge_id is not None:
            about = nudges.nudge(self.parts.readers, self.runs(key, [said.course_run]), said.nudge_id)
            if about is None or about.learner != said.learner:
                raise not_found("no nudge of this id went to this learner in this course run")
        return self._send(key, said.learner, said.course_run, said.kind, said.nudge_id)

    def decide(self, key: ApiKey, nudge_id: str, verdict: Literal["approved", "declined"]) -> Accepted:
        """Approve or decline a nudge that waits."""
        self._may_act(key)
        waits = [one for one in self.waiting(key) if one.nudge_id == nudge_id]
        if not waits:
            known = nudges.nudge(self.parts.readers, self.runs(key), nudge_id)
            if known is None:
                raise not_found("no such nudge is within your courses")
            raise ProblemError(HTTPStatus.CONFLICT, "this nudge does not wait for an answer (any more)")
        return self._send(key, waits[0].learner, waits[0].course_run, verdict, nudge_id)

    def wish(self, key: ApiKey, learner: str, wanted: Wishes) -> Accepted:
        """Send how a learner wants to be reached. Raises a problem where that would take back a *no*."""
        self._may_act(key)
        self.learner(key, learner)
        person, outbox = self._reachable(learner)
        event_id = _new_id()
        message = message_of(wanted, key, person.learner, self.now(), event_id)
        said = wishes.known(self.parts.readers, [learner]).get(learner, wishes.Known())
        check(message, said.consent)
        outbox.publish(message)
        return Accepted(event_id=event_id)

    def story_exists(self, key: ApiKey, learner: str, run: str) -> None:
        """Raises a 404 where the enrolment is not within the scope."""
        if not risks.of_learners(self.parts.readers, self.runs(key, [run]), [learner]):
            raise not_found("no enrolment of this learner is within your courses")

    def _may_act(self, key: ApiKey) -> None:
        if not key.acts:
            raise ProblemError(HTTPStatus.FORBIDDEN, "a viewer's key reads only")

    def _reachable(self, learner: str) -> tuple[Person, Outbox]:
        person, outbox = self.person(learner), self.parts.outbox
        if outbox is None:
            raise OutboxDownError("this console was started without a broker")
        if person is None:
            raise ProblemError(
                HTTPStatus.CONFLICT,
                "nobody has told the console who this pseudonym is, so nothing can be sent on them yet",
            )
        return person, outbox

    def _send(
        self,
        key: ApiKey,
        learner: str,
        run: str,
        kind: Literal["helped", "not_at_risk", "in_contact", "approved", "declined"],
        nudge_id: str | None,
    ) -> Accepted:
        person, outbox = self._reachable(learner)
        at, event_id = self.now(), _new_id()
        message: NudgeFeedback = {
            "type": "feedback",
            "event_id": event_id,
            "learner": person.learner,
            "course_run": run,
            "nudge_id": nudge_id,
            "kind": kind,
            "occurred_at": at,
            "source": key.name,
        }
        outbox.publish(message)
        word = Word(kind=kind, at=at, course_run=run, nudge_id=nudge_id, arrived=False)
        self.recent.add(learner, word)
        return Accepted(event_id=event_id)


INSTRUCTORS = ("helped", "not_at_risk", "in_contact")


def _new_id() -> str:
    return uuid.uuid4().hex
