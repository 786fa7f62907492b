"""What a question may be answered with instead of an answer. Knows no web framework; the API and pages do."""

from http import HTTPStatus

from schemas.errors import HomeroomError


class ProblemError(HomeroomError):
    """A problem to answer with."""

    def __init__(
        self, status: HTTPStatus, detail: str, *, kind: str = "", headers: dict[str, str] | None = None
    ) -> None:
        super().__init__(detail)
        self.status, self.detail, self.headers = status, detail, headers
        self.kind = kind or status.phrase.lower().replace(" ", "-")


def not_found(detail: str) -> ProblemError:
    """404; also where something is there, but not for this key: nobody learns what exists elsewhere."""
    return ProblemError(HTTPStatus.NOT_FOUND, detail)
