"""Who asks: every request is traced to a key and counted; one that changes something, checked for origin."""

import logging
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Annotated
from urllib.parse import urlsplit

from fastapi import Depends, Request, Security
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from console.access import ApiKey, KeyRing
from console.errors import ProblemError
from console.limits import Buckets
from console.services.service import Service
from console.sessions import Sessions

log = logging.getLogger(__name__)

COOKIE = "homeroom_session"
SAFE = frozenset({"GET", "HEAD", "OPTIONS"})

bearer = HTTPBearer(auto_error=False, description="an API key, made by `homeroom console-key`")


@dataclass(frozen=True, slots=True)
class Site:
    """How browsers come to the console.

    public_url: the address that they know it by, where it is another one than what a proxy asks us for.
    secret: what signs sessions, so that several processes know each other's.
    """

    public_url: str = ""
    secret: str = field(default="", repr=False)

    @property
    def host(self) -> str:
        """Host and port of the public address; empty where there is none."""
        return urlsplit(self.public_url).netloc.lower()

    @property
    def secure(self) -> bool:
        """Whether browsers come by TLS, whatever a proxy comes by."""
        return self.public_url.startswith("https://")


class Guard:
    """Knows keys, sessions and limits. One for the app."""

    def __init__(self, keys: KeyRing, limits: Buckets, strangers: Buckets, site: Site) -> None:
        """limits: of each key. strangers: of each address that shows none, or a wrong one."""
        self.keys = keys
        self.site = site
        self.sessions = Sessions(keys, site.secret)
        self._limits = limits
        self._strangers = strangers

    def by_key(self, request: Request, shown: str) -> ApiKey | None:
        """Whose key is shown; counts a wrong one against the address."""
        key = self.keys.find(shown)
        if key is None:
            self._count(self._strangers, _address(request))
        return key

    def by_session(self, request: Request) -> ApiKey | None:
        """Whose session the cookie is."""
        cookie = request.cookies.get(COOKIE)
        return self.sessions.find(cookie) if cookie else None

    def count(self, key: ApiKey) -> None:
        """One request more. Raises a 429 where it is one too many."""
        self._count(self._limits, key.sha256)

    def _count(self, buckets: Buckets, who: str) -> None:
        wait = buckets.take(who)
        if wait:
            raise ProblemError(
                HTTPStatus.TOO_MANY_REQUESTS,
                f"too many requests; come again in {wait} s",
                headers={"Retry-After": str(wait)},
            )


def same_origin(request: Request) -> bool:
    """Whether a browser sent it from our own page. Cookies alone do not tell.

    Browsers say so themselves to what they trust (TLS, or their own machine), whatever Host a proxy makes
    of it; to others they name the page's origin, which is to be ours by its public address or by the Host.
    """
    fetched = request.headers.get("sec-fetch-site")
    if fetched is not None:
        return fetched == "same-origin"
    origin = request.headers.get("origin")
    if not origin:
        return False
    ours = {guard_of(request).site.host, request.headers.get("host", "").lower()} - {""}
    if urlsplit(origin).netloc.lower() in ours:
        return True
    log.warning(
        "a form from a page of %.200r is refused, as this console is %s; if it is behind a proxy, "
        "HOMEROOM_CONSOLE_PUBLIC_URL says which address browsers know it by",
        origin,
        " and ".join(sorted(ours)),
    )
    return False


def guard_of(request: Request) -> Guard:
    """The app's guard."""
    guard: Guard = request.app.state.guard
    return guard


def service_of(request: Request) -> Service:
    """The app's service."""
    service: Service = request.app.state.service
    return service


def signed_in(
    request: Request,
    shown: Annotated[HTTPAuthorizationCredentials | None, Security(bearer)],
) -> ApiKey:
    """The key of a request to the API: shown as a bearer token, or behind the page's session."""
    guard = guard_of(request)
    if shown is not None:
        key = guard.by_key(request, shown.credentials)
    else:
        key = guard.by_session(request)
        if key is not None and request.method not in SAFE and not same_origin(request):
            raise ProblemError(HTTPStatus.FORBIDDEN, "sessions act from the console's own page only")
    if key is None:
        raise ProblemError(
            HTTPStatus.UNAUTHORIZED,
            "show an API key: Authorization: Bearer hr_…",
            headers={"WWW-Authenticate": "Bearer"},
        )
    guard.count(key)
    return key


def _address(request: Request) -> str:
    return request.client.host if request.client else ""


Key = Annotated[ApiKey, Depends(signed_in)]
Asked = Annotated[Service, Depends(service_of)]
