"""Error responses as ``application/problem+json`` (RFC 9457), for the framework's errors too."""

import logging
from collections.abc import Callable
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from pydantic import BaseModel, ConfigDict, Field
from starlette.exceptions import HTTPException

from console.errors import ProblemError
from console.examples import PROBLEM
from console.ports import NoModelError, OutboxDownError, UnknownFeatureError
from sinks.errors import StoreDown, StoreRejected

log = logging.getLogger(__name__)

Page = Callable[[Request, HTTPStatus, str], Response]
"""Renders an error as an HTML page."""

MEDIA_TYPE = "application/problem+json"


class Problem(BaseModel):
    """What went wrong, for programs (``type``, ``status``) and for people (``title``, ``detail``)."""

    model_config = ConfigDict(json_schema_extra={"examples": [PROBLEM]})

    type: str = "about:blank"
    title: str
    status: int
    detail: str = ""
    errors: list[dict[str, Any]] = Field(
        default_factory=list, description="for 422: each field at fault, the value found, what was expected"
    )


def problem_response(
    status: HTTPStatus,
    detail: str,
    kind: str = "",
    headers: dict[str, str] | None = None,
    errors: list[dict[str, Any]] | None = None,
) -> Response:
    """A problem as a response."""
    kind = kind or status.phrase.lower().replace(" ", "-")
    problem = Problem(
        type=f"urn:homeroom:problem:{kind}",
        title=status.phrase,
        status=status.value,
        detail=detail,
        errors=errors or [],
    )
    body = problem.model_dump(exclude={"errors"} if not errors else None)
    return JSONResponse(body, status.value, headers, MEDIA_TYPE)


def problem_responses(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """For OpenAPI: the problems that an operation answers with."""
    content = {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}
    return {status: {"description": HTTPStatus(status).phrase, "content": content} for status in statuses}


def install_handlers(app: FastAPI, page: Page) -> None:
    """Install handlers that answer errors of the API with a problem, others with a page."""

    @app.exception_handler(ProblemError)
    async def _problem_error(_: Request, error: ProblemError) -> Response:
        return problem_response(error.status, error.detail, error.kind, error.headers)

    @app.exception_handler(HTTPException)
    async def _http_error(request: Request, error: HTTPException) -> Response:
        headers = dict(error.headers) if error.headers else None
        if not request.url.path.startswith(("/api/", "/static/")):
            return page(request, HTTPStatus(error.status_code), str(error.detail))
        return problem_response(HTTPStatus(error.status_code), str(error.detail), headers=headers)

    @app.exception_handler(RequestValidationError)
    async def _invalid(_: Request, error: RequestValidationError) -> Response:
        errors = [
            {
                "where": ".".join(str(part) for part in problem["loc"]),
                "found": repr(problem.get("input"))[:100],
                "expected": problem["msg"],
            }
            for problem in error.errors()
        ]
        detail = "; ".join(f"{field['where']}: {field['expected']}" for field in errors[:3])
        return problem_response(HTTPStatus.UNPROCESSABLE_ENTITY, detail, "invalid", errors=errors)

    @app.exception_handler(UnknownFeatureError)
    async def _unknown_feature(_: Request, error: UnknownFeatureError) -> Response:
        return problem_response(HTTPStatus.UNPROCESSABLE_ENTITY, str(error), "invalid")

    @app.exception_handler(StoreDown)
    @app.exception_handler(OutboxDownError)
    @app.exception_handler(NoModelError)
    async def _unavailable(_: Request, error: Exception) -> Response:
        log.warning("%s: %s", type(error).__name__, error)
        return problem_response(
            HTTPStatus.SERVICE_UNAVAILABLE, DETAILS[type(error)], headers={"Retry-After": "5"}
        )

    @app.exception_handler(StoreRejected)
    async def _rejected(_: Request, error: StoreRejected) -> Response:
        log.error("the store refused a query: %s", error)
        return problem_response(
            HTTPStatus.INTERNAL_SERVER_ERROR, "the store refused the query; see the console's log"
        )


DETAILS: dict[type[Exception], str] = {
    StoreDown: "the store cannot be reached; nothing is lost, try again shortly",
    OutboxDownError: "the message could not be handed on; nothing was recorded, try again shortly",
    NoModelError: "there is no model to ask yet: no day package has come",
}
"""The detail for clients; the log has the rest, which may contain host names."""
