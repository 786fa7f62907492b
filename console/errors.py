"""Errors of the services, with an HTTP status; the API and the pages turn them into responses."""

from http import HTTPStatus

from schemas.errors import HomeroomError


class ProblemError(HomeroomError):
    """An error with the HTTP status of its response."""

    def __init__(
        self, status: HTTPStatus, detail: str, *, kind: str = "", headers: dict[str, str] | None = None
    ) -> None:
        super().__init__(detail)
        self.status, self.detail, self.headers = status, detail, headers
        self.kind = kind or status.phrase.lower().replace(" ", "-")


def not_found(detail: str) -> ProblemError:
    """A 404; also for what exists outside the key's scope, so that its existence is not revealed."""
    return ProblemError(HTTPStatus.NOT_FOUND, detail)
