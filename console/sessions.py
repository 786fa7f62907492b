"""The pages' sessions: a signed cookie with the key's hash and an expiry.

Servers store nothing, so processes with the same secret accept each other's sessions, and a restart ends
none. A session has the rights of its key: removing or changing the key in the file applies to its sessions.
"""

import hmac
import secrets
import threading
import time
from collections.abc import Callable
from hashlib import sha256

from console.access import ApiKey, KeyRing

SESSION_S = 12 * 3600
"""A working day; then the user has to sign in again."""

MIN_SECRET_LENGTH = 32
"""Characters of the secret."""

MAX_ENDED = 100_000


class Sessions:
    """Creates and verifies session cookies. Thread-safe.

    secret: shared by several processes; where it is empty, a random one of this process is used.

    Raises:
        ValueError: the secret is too short.
    """

    def __init__(self, keys: KeyRing, secret: str = "", clock: Callable[[], float] = time.time) -> None:
        if secret and len(secret) < MIN_SECRET_LENGTH:
            raise ValueError(f"has {len(secret)} characters; expected at least {MIN_SECRET_LENGTH}")
        self._keys = keys
        self._secret = (secret or secrets.token_urlsafe(MIN_SECRET_LENGTH)).encode()
        self._clock = clock
        self._lock = threading.Lock()
        self._ended: dict[str, int] = {}

    def begin(self, key: ApiKey) -> str:
        """A new session's cookie."""
        until = int(self._clock()) + SESSION_S
        payload = f"{key.sha256}.{until}.{secrets.token_urlsafe(9)}"
        return f"{payload}.{self._sign(payload)}"

    def find(self, cookie: str) -> ApiKey | None:
        """The key of a session; None if it has expired or ended, or its key is not in the file."""
        payload, _, signature = cookie.rpartition(".")
        if not hmac.compare_digest(self._sign(payload).encode(), signature.encode()):
            return None
        name, until, _ = payload.split(".")
        if int(until) <= self._clock() or self._has_ended(payload):
            return None
        return self._keys.by_hash(name)

    def end(self, cookie: str) -> None:
        """End a session in this process. Other processes accept the cookie until it expires."""
        if self.find(cookie) is None:
            return
        payload = cookie.rpartition(".")[0]
        now = self._clock()
        with self._lock:
            if len(self._ended) >= MAX_ENDED:
                self._ended = {ended: until for ended, until in self._ended.items() if until > now}
            self._ended[payload] = int(payload.split(".")[1])

    def _has_ended(self, payload: str) -> bool:
        with self._lock:
            return payload in self._ended

    def _sign(self, payload: str) -> str:
        return hmac.digest(self._secret, b"homeroom console session\n" + payload.encode(), sha256).hex()
