"""Whose key it is, whether the process lives, whether it can serve, and when something has changed."""

from collections.abc import AsyncIterator

from fastapi import APIRouter, Depends, Request
from fastapi.responses import StreamingResponse

from console.conditional import ConditionalRoute
from console.examples import EVENTS
from console.guard import Asked, Key, signed_in
from console.live import Live
from console.models import Health, Me
from console.problems import documented

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
    return Health(as_of=service.newest_day())


@router.get(
    "/events",
    summary="Server-sent events: something has changed",
    dependencies=[Depends(signed_in)],
    responses={**documented(401, 429), 200: {"content": {"text/event-stream": {"example": EVENTS}}}},
    response_class=StreamingResponse,
)
async def events(request: Request) -> StreamingResponse:
    """An event `changed` whenever the store has something new. What it is, the other operations tell."""
    live: Live = request.app.state.live
    headers = {"Cache-Control": "no-store"}
    return StreamingResponse(_lines(live), media_type="text/event-stream", headers=headers)


async def _lines(live: Live) -> AsyncIterator[str]:
    async for state in live.changes():
        yield f"event: changed\ndata: {state}\n\n" if state else ": still here\n\n"
