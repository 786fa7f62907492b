"""Operations: the key, liveness, readiness, and server-sent events of changes."""

import contextlib
import time
from collections.abc import AsyncIterator
from http import HTTPStatus

from fastapi import APIRouter, Request
from fastapi.responses import StreamingResponse

from console.conditional import ConditionalRoute
from console.errors import ProblemError
from console.examples import EVENTS
from console.guard import Key, ServiceDep
from console.live import LiveUpdates
from console.models import Health, Me
from console.problems import problem_responses

STREAMS_PER_KEY = 64
"""The most event streams of one key at a time."""

STREAM_S = 3600.0
"""The longest duration of a stream, after which a withdrawn key gets no more events."""

router = APIRouter(route_class=ConditionalRoute, tags=["operations"])


@router.get("/me", summary="Whose key this is", responses=problem_responses(401, 429))
def me(key: Key) -> Me:
    """Its name, role and scope."""
    return Me(name=key.name, role=key.role, courses=list(key.courses))


@router.get("/health", summary="The process runs")
async def health() -> Health:
    """Asks nobody: for liveness probes. Needs no key."""
    return Health()


@router.get("/ready", summary="The store answers", responses=problem_responses(503))
def ready(service: ServiceDep) -> Health:
    """Asks the store: for readiness probes. Needs no key, and tells no names."""
    return Health(as_of=service.scope.newest_day())


@router.get(
    "/events",
    summary="Server-sent events: something has changed",
    responses={**problem_responses(401, 429), 200: {"content": {"text/event-stream": {"example": EVENTS}}}},
    response_class=StreamingResponse,
)
async def events(request: Request, key: Key) -> StreamingResponse:
    """An event `changed` whenever the store has something new. What it is, the other operations tell.

    Ends after an hour at the latest; a browser asks again by itself, with its key.
    """
    live: LiveUpdates = request.app.state.live
    if live.listener_count(key.sha256) >= STREAMS_PER_KEY:
        detail = f"this key listens {STREAMS_PER_KEY} times already"
        raise ProblemError(HTTPStatus.TOO_MANY_REQUESTS, detail, headers={"Retry-After": "60"})
    headers = {"Cache-Control": "no-store"}
    return StreamingResponse(_lines(live, key.sha256), media_type="text/event-stream", headers=headers)


async def _lines(live: LiveUpdates, key_id: str) -> AsyncIterator[str]:
    until = time.monotonic() + STREAM_S
    async with contextlib.aclosing(live.changes(key_id)) as changes:
        async for state in changes:
            if time.monotonic() > until:
                return
            yield f"event: changed\ndata: {state}\n\n" if state else ": still here\n\n"
