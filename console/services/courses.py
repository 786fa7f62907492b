"""Course runs within a key's scope, and estimates for learners who need not exist."""

from datetime import date

from console.access import ApiKey
from console.errors import not_found
from console.models import Course, CourseStory, Question, RiskReason, WhatIfAnswer
from console.parts import Parts
from console.ports import NoModelError
from console.queries import courses
from console.services.scope import Scope


class Courses:
    """Course runs within a key's scope."""

    def __init__(self, parts: Parts, scope: Scope) -> None:
        self._parts, self._scope = parts, scope

    def overview(self, key: ApiKey) -> list[Course]:
        """Every course run of the scope."""
        return courses.overview(
            self._parts.readers, self._scope.runs(key), self._scope.newest_day() or date.min
        )

    def story(self, key: ApiKey, run: str) -> CourseStory:
        """A course run from its start.

        Raises:
            ProblemError: the run is not within the scope, or nothing is known of it (404).
        """
        self._scope.runs(key, [run])
        story = courses.story(self._parts.readers, run, self._scope.newest_day() or date.min)
        if story is None:
            raise not_found(f"nothing is known of {run!r} yet")
        return story

    def what_if(self, key: ApiKey, question: Question) -> WhatIfAnswer:
        """Score a learner who need not exist.

        Raises:
            NoModelError: the console was started without a model.
            ProblemError: the question's course run is not within the scope (404).
        """
        if self._parts.what_if is None:
            raise NoModelError("this console has no model")
        self._scope.runs(key, [question.course_run])
        estimate = self._parts.what_if.estimate(question.course_run, question.features)
        return WhatIfAnswer(
            probability=estimate.probability,
            base_probability=estimate.base_probability,
            reasons=[
                RiskReason(text=effect.text, contribution=effect.contribution) for effect in estimate.effects
            ],
            model_version=estimate.model_version,
            model_state=estimate.model_state,
            day=estimate.day,
        )
