"""Course runs: their state, their history, and what-if requests."""

from fastapi import APIRouter

from console.api.learners import Run
from console.conditional import ConditionalRoute
from console.guard import Key, ServiceDep
from console.models import Course, CourseStory, Question, WhatIfAnswer
from console.problems import problem_responses

router = APIRouter(
    route_class=ConditionalRoute, tags=["courses"], responses=problem_responses(401, 422, 429, 503)
)


@router.get("/courses", summary="Your course runs today")
def courses(key: Key, service: ServiceDep) -> list[Course]:
    """Those that are on come first."""
    return service.courses.overview(key)


@router.get(
    "/courses/story",
    summary="A course run: engagement by day, risk by week",
    responses=problem_responses(404),
)
def story(key: Key, service: ServiceDep, course_run: Run) -> CourseStory:
    """From its first day to the newest."""
    return service.courses.story(key, course_run)


@router.post("/what-if", summary="Score a described learner", responses=problem_responses(400, 404))
def what_if(key: Key, service: ServiceDep, question: Question) -> WhatIfAnswer:
    """Features changed by hand, the others those of the middle of the cohort, by the newest day's model."""
    return service.courses.what_if(key, question)
