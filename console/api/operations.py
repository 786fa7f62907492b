"""Whose key it is, whether the process lives, whether it can serve, and when something has changed."""

import contextlib
import time
from collections.abc import AsyncIterator
from http import HTTPStatus

from fastapi import APIRouter, Request
from fastapi.responses import StreamingResponse

from console.conditional import ConditionalRoute
from console.errors import ProblemError
from console.examples import EVENTS
from console.guard import Asked, Key
from console.live import Live
from console.models import Health, Me
from console.problems import documented

STREAMS_PER_KEY = 64
"""Pages of one key that listen at once."""

STREAM_S = 3600.0
"""How long a page listens on one request; a key that is withdrawn hears nothing more after that."""

router = APIRouter(route_class=ConditionalRoute, tags=["operations"])


@router.get("/me", summary="Whose key this is", responses=documented(401, 429))
def me(key: Key) -> Me:
    """Its name, role and scope."""
    return Me(name=key.name, role=key.role, courses=list(key.courses))


@router.get("/health", summary="The process runs")
async def health() -> Health:
    """Asks nobody: for liveness probes. Needs no key."""
    return Health()


@router.get("/ready", summary="The store answers", responses=documented(503))
def ready(service: Asked) -> Health:
    """Asks the store: for readiness probes. Needs no key, and tells no names."""
    return Health(as_of=service.scope.newest_day())


@router.get(
    "/events",
    summary="Server-sent events: something has changed",
    responses={**documented(401, 429), 200: {"content": {"text/event-stream": {"example": EVENTS}}}},
    response_class=StreamingResponse,
)
async def events(request: Request, key: Key) -> StreamingResponse:
    """An event `changed` whenever the store has something new. What it is, the other operations tell.

    Ends after an hour at the latest; a browser asks again by itself, with its key.
    """
    live: Live = request.app.state.live
    if live.listens(key.sha256) >= STREAMS_PER_KEY:
        words = f"this key listens {STREAMS_PER_KEY} times already"
        raise ProblemError(HTTPStatus.TOO_MANY_REQUESTS, words, headers={"Retry-After": "60"})
    headers = {"Cache-Control": "no-store"}
    return StreamingResponse(_lines(live, key.sha256), media_type="text/event-stream", headers=headers)


async def _lines(live: Live, who: str) -> AsyncIterator[str]:
    until = time.monotonic() + STREAM_S
    async with contextlib.aclosing(live.changes(who)) as changes:
        async for state in changes:
            if time.monotonic() > until:
                return
            yield f"event: changed\ndata: {state}\n\n" if state else ": still here\n\n"
