"""Bounds on what a request may bring before anybody is asked for a key: its body's size, and its time.

A body is taken whole before the app sees the request, so nothing further in can wait for one or be handed
more than the bound. Heads and connections are bounded where they are read (:mod:`console.protocol`).
"""

import asyncio
from dataclasses import dataclass
from http import HTTPStatus

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from console.problems import answer
from schemas.errors import HomeroomError

CLOSE = {"Connection": "close"}
"""What is left of a body that was refused is not read: the connection ends with the answer."""


@dataclass(frozen=True, slots=True)
class Bounds:
    """body_bytes: of the longest body; a what-if that names every feature is a quarter of it. body_s: seconds
    from the end of the head to the end of the body."""

    body_bytes: int = 64 * 1024
    body_s: float = 10.0


class TooLongError(HomeroomError):
    """The body is longer than the bound."""


class Bounded:
    """The app behind the bounds. Plain ASGI, so that answers pass through as they come."""

    def __init__(self, app: ASGIApp, bounds: Bounds) -> None:
        self._app = app
        self._bounds = bounds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        try:
            body = await asyncio.wait_for(self._whole(scope, receive), self._bounds.body_s)
        except TooLongError:
            words = f"a body has at most {self._bounds.body_bytes:,} bytes"
            response = answer(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, words, headers=CLOSE)
            await response(scope, receive, send)
            return
        except TimeoutError:
            words = f"the body did not come within {self._bounds.body_s:g} s"
            await answer(HTTPStatus.REQUEST_TIMEOUT, words, headers=CLOSE)(scope, receive, send)
            return
        if body is not None:
            await self._app(scope, _first({"type": "http.request", "body": body}, receive), send)

    async def _whole(self, scope: Scope, receive: Receive) -> bytes | None:
        """The request's body; None where the client has gone. Raises ``TooLongError``."""
        most = self._bounds.body_bytes
        if any(name == b"content-length" and int(value) > most for name, value in scope["headers"]):
            raise TooLongError
        found = bytearray()
        while True:
            message = await receive()
            if message["type"] == "http.disconnect":
                return None
            found += message.get("body", b"")
            if len(found) > most:
                raise TooLongError
            if not message.get("more_body", False):
                return bytes(found)


def _first(message: Message, receive: Receive) -> Receive:
    """Gives a message, and then what comes after it."""
    left = [message]

    async def found() -> Message:
        return left.pop() if left else await receive()

    return found
