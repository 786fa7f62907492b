"""Nudges: the ledger, proposals that wait, instructors' feedback, and effects."""

from http import HTTPStatus
from typing import Annotated, Literal

from fastapi import APIRouter, Body, Path, Query
from pydantic import BaseModel, ConfigDict

from console.api.learners import PAGED, Limit, Runs
from console.conditional import ConditionalRoute
from console.examples import LEDGER_CURSOR, NUDGE
from console.guard import Key, ServiceDep
from console.models import Accepted, Decision, DecisionPage, InstructorFeedback, Interventions
from console.problems import problem_responses

router = APIRouter(
    route_class=ConditionalRoute, tags=["nudges"], responses=problem_responses(401, 404, 422, 429, 503)
)


class Verdict(BaseModel):
    """A yes or a no to a nudge that waits."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"verdict": "approved"}]})

    verdict: Literal["approved", "declined"]


@router.get("/nudges", summary="The ledger: every decision, the no included")
def ledger(
    key: Key,
    service: ServiceDep,
    course_run: Runs = [],  # noqa: B006 - FastAPI copies it
    decision: Annotated[Literal["send", "hold", "cancel"] | None, Query(examples=["send"])] = None,
    cursor: Annotated[str | None, Query(**PAGED, examples=[LEDGER_CURSOR])] = None,
    limit: Limit = 50,
) -> DecisionPage:
    """The newest first, with what became of each."""
    return service.nudges.ledger(key, course_run, decision, cursor, limit)


@router.get("/nudges/waiting", summary="Nudges that wait for an instructor's yes")
def waiting(key: Key, service: ServiceDep) -> list[Decision]:
    """Those of the last seven days."""
    return service.nudges.waiting(key)


@router.post(
    "/nudges/{nudge_id}/verdict",
    summary="Approve or decline a nudge that waits",
    status_code=HTTPStatus.ACCEPTED,
    responses=problem_responses(400, 403, 409),
)
def verdict(
    key: Key,
    service: ServiceDep,
    nudge_id: Annotated[str, Path(min_length=1, max_length=128, examples=[NUDGE])],
    verdict: Annotated[Verdict, Body()],
) -> Accepted:
    """Published to the feedback topic; the worker acts on it."""
    return service.feedback.answer(key, nudge_id, verdict.verdict)


@router.post(
    "/feedback",
    summary="Say something of a learner who is listed",
    status_code=HTTPStatus.ACCEPTED,
    responses=problem_responses(400, 403, 409),
)
def feedback(key: Key, service: ServiceDep, message: InstructorFeedback) -> Accepted:
    """helped, not_at_risk or in_contact. Published to the feedback topic; in the ledger seconds later."""
    return service.feedback.send(key, message)


@router.get("/interventions", summary="What was decided, and what is known of its effect")
def interventions(
    key: Key,
    service: ServiceDep,
    course_run: Runs = [],  # noqa: B006 - FastAPI copies it
) -> Interventions:
    """Each kind of decision with its reason; uplift against the held-out, with its interval."""
    return service.nudges.interventions(key, course_run)
