"""Course runs: how they stand, how they went, and what-if questions to their model."""

from fastapi import APIRouter

from console.api.learners import Run
from console.conditional import ConditionalRoute
from console.guard import Asked, Key
from console.models import Course, CourseStory, Question, WhatIfAnswer
from console.problems import documented

router = APIRouter(route_class=ConditionalRoute, tags=["courses"], responses=documented(401, 422, 429, 503))


@router.get("/courses", summary="Your course runs today")
def courses(key: Key, service: Asked) -> list[Course]:
    """Those that are on come first."""
    return service.courses.overview(key)


@router.get(
    "/courses/story", summary="A course run: engagement by day, risk by week", responses=documented(404)
)
def story(key: Key, service: Asked, course_run: Run) -> CourseStory:
    """From its first day to the newest."""
    return service.courses.story(key, course_run)


@router.post("/what-if", summary="Score a described learner", responses=documented(400, 404))
def what_if(key: Key, service: Asked, question: Question) -> WhatIfAnswer:
    """Features changed by hand, the others those of the middle of the cohort, by the newest day's model."""
    return service.courses.what_if(key, question)
