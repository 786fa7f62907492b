"""The route class of the API: it refuses unknown query parameters, and its responses have ETags.

A misspelt filter must not be ignored: the response would contain learners that were not requested. A client
that has the newest response gets a 304 without a body.
"""

import hashlib
from collections.abc import Callable, Coroutine, Sequence
from typing import Any

from fastapi import Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute

PRIVATE = "private, no-cache"
"""Cache, but revalidate each time: responses belong to one user and may have changed."""


class ConditionalRoute(APIRoute):
    """A route with strict parameters whose GET answers carry an ETag; FastAPI's own way to wrap a handler."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """The handler, with the check of parameters before it and the ETag after it."""
        handle = super().get_route_handler()
        allowed = [field.alias for field in self.dependant.query_params]

        async def conditional(request: Request) -> Response:
            refuse_unknown(request, allowed)
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


def refuse_unknown(request: Request, allowed: Sequence[str]) -> None:
    """Check the query parameters; an operation without parameters ignores them.

    Raises:
        RequestValidationError: there is one that is not in ``allowed`` (422).
    """
    expected = f"no such parameter; expected some of {', '.join(allowed)}"
    errors = [
        {"type": "extra_forbidden", "loc": ("query", name), "msg": expected, "input": value}
        for name, value in request.query_params.multi_items()
        if name not in allowed
    ]
    if allowed and errors:
        raise RequestValidationError(errors)


def matches(if_none_match: str, tag: str) -> bool:
    """Whether If-None-Match contains the tag: a list of tags, weak or not, or a star (RFC 9110, 13.1.2)."""
    tags = [part.strip().removeprefix("W/") for part in if_none_match.split(",")]
    return "*" in tags or tag in tags
