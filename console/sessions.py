"""The page's sessions: a signed cookie that says whose key was shown, and until when it counts.

Nothing of it is kept by a server, so several processes that have one secret know each other's sessions, and a
restart ends none. A session is worth what its key is worth: a key that is taken out of the file, or changed
in it, takes its sessions along or changes them.
"""

import hmac
import secrets
import threading
import time
from collections.abc import Callable
from hashlib import sha256

from console.access import ApiKey, KeyRing

SESSION_S = 12 * 3600
"""A working day; then the key is asked for again."""

LEAST_SECRET = 32
"""Characters of the secret."""

MOST_ENDED = 100_000


class Sessions:
    """Makes cookies and reads them. Thread-safe.

    secret: what several processes share; a random one of this process where it is empty.
    Raises ``ValueError`` for one that is too short.
    """

    def __init__(self, keys: KeyRing, secret: str = "", clock: Callable[[], float] = time.time) -> None:
        if secret and len(secret) < LEAST_SECRET:
            raise ValueError(f"has {len(secret)} characters; expected at least {LEAST_SECRET}")
        self._keys = keys
        self._secret = (secret or secrets.token_urlsafe(LEAST_SECRET)).encode()
        self._clock = clock
        self._lock = threading.Lock()
        self._ended: dict[str, int] = {}

    def begin(self, key: ApiKey) -> str:
        """A new session's cookie."""
        until = int(self._clock()) + SESSION_S
        words = f"{key.sha256}.{until}.{secrets.token_urlsafe(9)}"
        return f"{words}.{self._sign(words)}"

    def find(self, cookie: str) -> ApiKey | None:
        """Whose session it is, while it lasts and its key is in the file."""
        words, _, signature = cookie.rpartition(".")
        if not hmac.compare_digest(self._sign(words).encode(), signature.encode()):
            return None
        name, until, _ = words.split(".")
        if int(until) <= self._clock() or self._has_ended(words):
            return None
        return self._keys.by_hash(name)

    def end(self, cookie: str) -> None:
        """Let this process know it no more. Others, and a copy of it, do until its time is over."""
        if self.find(cookie) is None:
            return
        words = cookie.rpartition(".")[0]
        now = self._clock()
        with self._lock:
            if len(self._ended) >= MOST_ENDED:
                self._ended = {one: until for one, until in self._ended.items() if until > now}
            self._ended[words] = int(words.split(".")[1])

    def _has_ended(self, words: str) -> bool:
        with self._lock:
            return words in self._ended

    def _sign(self, words: str) -> str:
        return hmac.digest(self._secret, b"homeroom console session\n" + words.encode(), sha256).hex()
