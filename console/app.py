"""The console as an ASGI app: the API under ``/api/v1``, the pages, and security headers on all responses."""

from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from pathlib import Path

from fastapi import FastAPI
from fastapi.staticfiles import StaticFiles
from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from console import problems
from console.access import ApiKey, KeyRing
from console.api import courses, learners, nudges, operations
from console.bounds import Bounds, BoundsMiddleware
from console.guard import Guard, Site
from console.limits import Buckets, Limit
from console.live import LiveUpdates
from console.pages import routes
from console.parts import Parts
from console.problems import Problem
from console.services.service import Service

API = "/api/v1"
STATIC = Path(__file__).parent / "static"

DESCRIPTION = """\
Who is about to drop out, why, and what was done about it. Learners are pseudonyms; whoever runs the
console may have it fill in names. Errors are problem+json (RFC 9457), lists continue with a cursor, answers
carry ETags.
"""

PER_KEY = Limit(rate=20, burst=200)
"""Requests a second of one key. A page takes two or three."""

PER_STRANGER = Limit(rate=0.2, burst=10)
"""Wrong keys a second of one address: guessing 256 bits is hopeless, but should not be free either."""

HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
        "font-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
}


def create_app(
    parts: Parts,
    keys: Iterable[ApiKey] | KeyRing,
    per_key: Limit = PER_KEY,
    per_stranger: Limit = PER_STRANGER,
    bounds: Bounds | None = None,
    site: Site | None = None,
) -> FastAPI:
    """Create the app. The caller closes ``parts.readers`` when the server has ended.

    Raises:
        ValueError: the site's secret is too short.
    """
    ring = keys if isinstance(keys, KeyRing) else KeyRing(keys)
    live = LiveUpdates(parts.readers)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        yield
        live.stop()

    app = FastAPI(
        title="homeroom",
        version="1",
        description=DESCRIPTION,
        openapi_url=f"{API}/openapi.json",
        docs_url=None,  # they would fetch their scripts from elsewhere
        redoc_url=None,
        lifespan=lifespan,
    )
    app.state.service = Service(parts)
    app.state.guard = Guard(ring, Buckets(per_key), Buckets(per_stranger), site or Site())
    app.state.live = live
    problems.install_handlers(app, routes.failed)
    for part in (learners, courses, nudges, operations):
        app.include_router(part.router, prefix=API)
    app.include_router(routes.router, include_in_schema=False)
    app.mount("/static", StaticFiles(directory=STATIC), name="static")
    _describe_problems(app)

    app.add_middleware(BoundsMiddleware, bounds=bounds or Bounds())
    app.add_middleware(_WithHeaders)
    return app


class _WithHeaders:
    """Adds the headers to every response. Plain ASGI, so that streams are not buffered."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        await self._app(scope, receive, with_headers if scope["type"] == "http" else send)


def _describe_problems(app: FastAPI) -> None:
    """Add the schema of problems, to which every operation refers, to the OpenAPI document."""
    generate = app.openapi

    def openapi() -> dict[str, object]:
        schema = generate()
        schemas = schema.setdefault("components", {}).setdefault("schemas", {})
        schemas.setdefault("Problem", Problem.model_json_schema(ref_template="#/components/schemas/{model}"))
        return schema

    app.openapi = openapi  # type: ignore[method-assign]
