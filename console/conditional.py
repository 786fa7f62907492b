"""What every route of the API does: it refuses parameters that it does not know, and its answers carry ETags.

A filter that is misspelt must not be a filter that is left out: that answers with learners nobody asked for.
A client that has the newest answer is told so with a 304 and no body.
"""

import hashlib
from collections.abc import Callable, Coroutine, Sequence
from typing import Any

from fastapi import Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute

PRIVATE = "private, no-cache"
"""Keep it, but ask each time: what is shown belongs to one person and may have changed."""


class ConditionalRoute(APIRoute):
    """A route with strict parameters whose GET answers carry an ETag; FastAPI's own way to wrap a handler."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """The handler, with what comes before and after it."""
        handle = super().get_route_handler()
        known = [field.alias for field in self.dependant.query_params]

        async def conditional(request: Request) -> Response:
            refuse_unknown(request, known)
            response = await handle(request)
            body = getattr(response, "body", None)
            if request.method != "GET" or response.status_code != 200 or not isinstance(body, bytes):
                return response
            tag = f'"{hashlib.blake2b(body, digest_size=12).hexdigest()}"'
            headers = {"ETag": tag, "Cache-Control": PRIVATE, "Vary": "Authorization, Cookie"}
            if matches(request.headers.get("if-none-match", ""), tag):
                return Response(status_code=304, headers=headers)
            response.headers.update(headers)
            return response

        return conditional


def refuse_unknown(request: Request, known: Sequence[str]) -> None:
    """Raise a 422 for query parameters besides those known; an operation that takes none ignores them."""
    expected = f"no such parameter; expected some of {', '.join(known)}"
    errors = [
        {"type": "extra_forbidden", "loc": ("query", name), "msg": expected, "input": value}
        for name, value in request.query_params.multi_items()
        if name not in known
    ]
    if known and errors:
        raise RequestValidationError(errors)


def matches(if_none_match: str, tag: str) -> bool:
    """Whether the client has it: a list of tags, weak or not, or a star (RFC 9110, 13.1.2)."""
    shown = [one.strip().removeprefix("W/") for one in if_none_match.split(",")]
    return "*" in shown or tag in shown
