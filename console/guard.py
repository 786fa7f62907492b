"""Authenticates requests, applies rate limits, and checks the origin of requests that change something."""

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
    """How browsers reach the console.

    public_url: its address for browsers, where a proxy uses another one. secret: signs sessions, so that
    several processes accept each other's.
    """

    public_url: str = ""
    secret: str = field(default="", repr=False)

    @property
    def host(self) -> str:
        """Host and port of the public address; empty where there is none."""
        return urlsplit(self.public_url).netloc.lower()

    @property
    def secure(self) -> bool:
        """Whether browsers use TLS, whatever a proxy uses."""
        return self.public_url.startswith("https://")


class Guard:
    """Keys, sessions and rate limits of the app."""

    def __init__(self, keys: KeyRing, limits: Buckets, strangers: Buckets, site: Site) -> None:
        """limits: of each key. strangers: of each address without a valid key."""
        self.keys = keys
        self.site = site
        self.sessions = Sessions(keys, site.secret)
        self._limits = limits
        self._strangers = strangers

    def by_key(self, request: Request, credentials: str) -> ApiKey | None:
        """The entry of a key; a wrong one counts against the client's address."""
        key = self.keys.find(credentials)
        if key is None:
            self._count(self._strangers, _address(request))
        return key

    def by_session(self, request: Request) -> ApiKey | None:
        """The key of the request's session; None if there is no valid one."""
        cookie = request.cookies.get(COOKIE)
        return self.sessions.find(cookie) if cookie else None

    def count(self, key: ApiKey) -> None:
        """Count a request of a key.

        Raises:
            ProblemError: there were too many (429).
        """
        self._count(self._limits, key.sha256)

    def _count(self, buckets: Buckets, client: str) -> None:
        wait = buckets.acquire(client)
        if wait:
            raise ProblemError(
                HTTPStatus.TOO_MANY_REQUESTS,
                f"too many requests; come again in {wait} s",
                headers={"Retry-After": str(wait)},
            )


def same_origin(request: Request) -> bool:
    """Whether a browser sent the request from one of our pages; a cookie does not prove it.

    Browsers send Sec-Fetch-Site over TLS and to their own machine, whatever Host a proxy sends; else they
    send Origin, which must match the public address or the Host.
    """
    fetch_site = request.headers.get("sec-fetch-site")
    if fetch_site is not None:
        return fetch_site == "same-origin"
    origin = request.headers.get("origin")
    if not origin:
        return False
    own_hosts = {guard_of(request).site.host, request.headers.get("host", "").lower()} - {""}
    if urlsplit(origin).netloc.lower() in own_hosts:
        return True
    log.warning(
        "a form from a page of %.200r is refused, as this console is %s; if it is behind a proxy, "
        "set HOMEROOM_CONSOLE_PUBLIC_URL to the address that browsers use",
        origin,
        " and ".join(sorted(own_hosts)),
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


def authenticated_key(
    request: Request,
    credentials: Annotated[HTTPAuthorizationCredentials | None, Security(bearer)],
) -> ApiKey:
    """The key of a request to the API: a bearer token, or the key of the page's session.

    Raises:
        ProblemError: there is no valid key (401), the page is not ours (403), or there were too many requests
            (429).
    """
    guard = guard_of(request)
    if credentials is not None:
        key = guard.by_key(request, credentials.credentials)
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


Key = Annotated[ApiKey, Depends(authenticated_key)]
ServiceDep = Annotated[Service, Depends(service_of)]
