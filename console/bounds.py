"""Bounds on a request before authentication: the body's size, and its time.

A body is read completely before the app sees the request, so no handler can wait for one or get more than the
bound. Heads and connections are bounded in :mod:`console.protocol`.
"""

import asyncio
from dataclasses import dataclass
from http import HTTPStatus

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from console.problems import problem_response
from schemas.errors import HomeroomError

CLOSE = {"Connection": "close"}
"""The rest of a refused body is not read: the connection is closed after the response."""


@dataclass(frozen=True, slots=True)
class Bounds:
    """body_bytes: of the longest body; a what-if that names every feature is a quarter of it. body_s: seconds
    from the end of the head to the end of the body."""

    body_bytes: int = 64 * 1024
    body_s: float = 10.0


class BodyTooLongError(HomeroomError):
    """The body is longer than the bound."""


class BoundsMiddleware:
    """ASGI middleware that applies the bounds; responses are not buffered."""

    def __init__(self, app: ASGIApp, bounds: Bounds) -> None:
        self._app = app
        self._bounds = bounds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        try:
            body = await asyncio.wait_for(self._read_body(scope, receive), self._bounds.body_s)
        except BodyTooLongError:
            detail = f"a body has at most {self._bounds.body_bytes:,} bytes"
            response = problem_response(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, detail, headers=CLOSE)
            await response(scope, receive, send)
            return
        except TimeoutError:
            detail = f"the body did not come within {self._bounds.body_s:g} s"
            await problem_response(HTTPStatus.REQUEST_TIMEOUT, detail, headers=CLOSE)(scope, receive, send)
            return
        if body is not None:
            await self._app(scope, _replay_first({"type": "http.request", "body": body}, receive), send)

    async def _read_body(self, scope: Scope, receive: Receive) -> bytes | None:
        """The request's body; None where the client has disconnected.

        Raises:
            BodyTooLongError: the body is longer than the bound.
        """
        most = self._bounds.body_bytes
        if any(name == b"content-length" and int(value) > most for name, value in scope["headers"]):
            raise BodyTooLongError
        body = bytearray()
        while True:
            message = await receive()
            if message["type"] == "http.disconnect":
                return None
            body += message.get("body", b"")
            if len(body) > most:
                raise BodyTooLongError
            if not message.get("more_body", False):
                return bytes(body)


def _replay_first(message: Message, receive: Receive) -> Receive:
    """A ``receive`` that returns the message first, and then the following ones."""
    pending = [message]

    async def replay() -> Message:
        return pending.pop() if pending else await receive()

    return replay
