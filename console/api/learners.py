"""Learners at risk: the list, one learner, one enrolment's story, and contact preferences."""

from datetime import date
from http import HTTPStatus
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query

from console.conditional import ConditionalRoute
from console.examples import RISK_CURSOR
from console.guard import Key, ServiceDep
from console.models import Accepted, Learner, Order, Preferences, PreferencesUpdate, RiskPage, Story
from console.problems import problem_responses
from console.queries.risks import Filters
from schemas.fields import CourseRun
from schemas.risk import RiskLevel

router = APIRouter(
    route_class=ConditionalRoute, tags=["learners"], responses=problem_responses(401, 404, 422, 429, 503)
)

PAGED: dict[str, Any] = {"max_length": 1000, "description": "`next` of the page before"}
Limit = Annotated[int, Query(ge=1, le=200, description="of items on a page", examples=[50])]
Runs = Annotated[
    list[CourseRun],
    Query(
        max_length=100,
        description="only these; all of your course runs if left out",
        examples=[["BBB/2014B"]],
    ),
]
Pseudonym = Annotated[
    str, Path(pattern=r"^[0-9a-f]{16}$", examples=["c2651a12136719b3"], description="a pseudonym")
]
Run = Annotated[CourseRun, Query(examples=["BBB/2014B"])]


@router.get("/risks", summary="Learners at risk now, most urgent first")
def risks(
    key: Key,
    service: ServiceDep,
    course_run: Runs = [],  # noqa: B006 - FastAPI copies it
    level: Annotated[list[RiskLevel], Query(max_length=3, examples=[["high"]])] = ["medium", "high"],  # noqa: B006
    least: Annotated[float, Query(ge=0, le=1, description="P(lost) at least", examples=[0.8])] = 0.0,
    changed_since: Annotated[
        date | None,
        Query(description="the level changed on this day or later", examples=["2014-04-01"]),
    ] = None,
    answered: Annotated[
        bool | None, Query(description="an instructor has said something since", examples=[False])
    ] = None,
    order: Annotated[Order, Query(examples=["urgency"])] = "urgency",
    cursor: Annotated[str | None, Query(**PAGED, examples=[RISK_CURSOR])] = None,
    limit: Limit = 50,
) -> RiskPage:
    """Enrolments in force in course runs that are on, with the reasons of their last change."""
    filters = Filters(tuple(level), least, changed_since, answered)
    return service.learners.at_risk(key, course_run, filters, order, cursor, limit)


@router.get("/learners/{learner}", summary="A learner's risk now, in each of your course runs")
def learner(key: Key, service: ServiceDep, learner: Pseudonym) -> Learner:
    """Past course runs included."""
    return service.learners.learner(key, learner)


@router.get("/learners/{learner}/story", summary="One enrolment: history, activity, changes, nudges, words")
def story(key: Key, service: ServiceDep, learner: Pseudonym, course_run: Run) -> Story:
    """Everything that the store knows of a learner in a course run."""
    return service.learners.story(key, learner, course_run)


@router.get("/learners/{learner}/preferences", summary="How a learner wants to be reached")
def preferences(key: Key, service: ServiceDep, learner: Pseudonym) -> Preferences:
    """As far as anybody has said."""
    return service.learners.preferences(key, learner)


@router.put(
    "/learners/{learner}/preferences",
    summary="Say how a learner wants to be reached",
    status_code=HTTPStatus.ACCEPTED,
    responses=problem_responses(400, 403, 409),
)
def wish(key: Key, service: ServiceDep, learner: Pseudonym, update: PreferencesUpdate) -> Accepted:
    """What is left out stays as it is. Published to the feedback topic; in force a few seconds later."""
    return service.feedback.set_wishes(key, learner, update)
