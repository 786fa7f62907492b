"""Who may see what: API keys with roles and course scopes, and the page's sessions.

A key is 32 random bytes, so a plain SHA-256 of it is enough to keep (slow hashes protect what people
choose themselves). The file that ``HOMEROOM_CONSOLE_KEYS`` names holds the hashes::

    [[key]]
    name = "Ada Byron"
    role = "instructor"           # viewer: reads; instructor: also acts; admin: all courses
    courses = ["BBB", "CCC/2014B"]  # a course with all of its runs, or one run
    sha256 = "…"

``homeroom console-key NAME`` makes one. The file is read at start.
"""

import hashlib
import secrets
import threading
import time
import tomllib
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

Role = Literal["viewer", "instructor", "admin"]

PREFIX = "hr_"
SESSION_S = 12 * 3600
"""A working day; then the key is asked for again."""

MAX_SESSIONS = 10_000


class AccessError(ValueError):
    """The file of keys is not as it should be. The message is one readable line."""


class ApiKey(BaseModel):
    """One entry of the file: whose key, what it may do, where, and the key's hash."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: Annotated[str, Field(min_length=1, max_length=100)]
    role: Role
    courses: Annotated[tuple[Annotated[str, Field(min_length=1, max_length=128)], ...], Field()] = ()
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]

    @property
    def acts(self) -> bool:
        """Whether it may send anything."""
        return self.role != "viewer"

    def sees(self, course_run: str) -> bool:
        """Whether a course run is within its scope."""
        if self.role == "admin":
            return True
        return any(course_run == scope or course_run.startswith(scope + "/") for scope in self.courses)


def make_key(name: str, role: Role, courses: Iterable[str]) -> tuple[str, ApiKey]:
    """A new key, which is told once, and its entry, which is kept. Raises ``AccessError`` for odd names."""
    key = PREFIX + secrets.token_urlsafe(32)
    try:
        return key, ApiKey(name=name, role=role, courses=tuple(courses), sha256=hashed(key))
    except ValidationError as errors:
        wrong = errors.errors(include_url=False)[0]
        place = ".".join(str(part) for part in wrong["loc"])
        raise AccessError(f"{place} is {wrong['input']!r:.80}: {wrong['msg']}") from None


def entry(key: ApiKey) -> str:
    """The entry as the file wants it."""
    courses = ", ".join(_quoted(course) for course in key.courses)
    return (
        f"[[key]]\nname = {_quoted(key.name)}\nrole = {_quoted(key.role)}\n"
        f"courses = [{courses}]\nsha256 = {_quoted(key.sha256)}\n"
    )


def _quoted(text: str) -> str:
    """A TOML basic string."""
    escaped = "".join(
        f"\\u{ord(sign):04x}" if ord(sign) < 32 or ord(sign) == 127 else sign
        for sign in text.replace("\\", "\\\\").replace('"', '\\"')
    )
    return f'"{escaped}"'


def hashed(key: str) -> str:
    """What is kept of a key."""
    return hashlib.sha256(key.encode()).hexdigest()


def read_keys(path: Path) -> tuple[ApiKey, ...]:
    """The keys of a file. Raises ``AccessError`` where it is not there or an entry is wrong."""
    try:
        found = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise AccessError(f"keys {path}: {error}") from None
    entries = found.pop("key", [])
    if found or not isinstance(entries, list) or not entries:
        raise AccessError(f"keys {path}: expected [[key]] entries and nothing else")
    keys = []
    for place, one in enumerate(entries, 1):
        try:
            keys.append(ApiKey.model_validate(one))
        except ValidationError as errors:
            first = errors.errors(include_url=False)[0]
            where = ".".join(str(part) for part in first["loc"]) or "entry"
            raise AccessError(f"keys {path}, entry {place}: {where}: {first['msg'].lower()}") from None
    return tuple(keys)


class KeyRing:
    """The keys in force, found by what a client shows."""

    def __init__(self, keys: Iterable[ApiKey]) -> None:
        self._keys = {key.sha256: key for key in keys}

    def find(self, shown: str) -> ApiKey | None:
        """The entry of a key, if it is one of ours. Hashing first leaves nothing to time."""
        return self._keys.get(hashed(shown))


class Sessions:
    """The page's sessions: a random cookie for a key that was shown once. In memory: a restart ends them."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._open: dict[str, tuple[ApiKey, float]] = {}

    def begin(self, key: ApiKey) -> str:
        """A new session's cookie."""
        cookie = secrets.token_urlsafe(32)
        now = self._clock()
        with self._lock:
            for old, (_, until) in list(self._open.items()):
                if until < now or len(self._open) >= MAX_SESSIONS:
                    del self._open[old]
            self._open[hashed(cookie)] = key, now + SESSION_S
        return cookie

    def find(self, cookie: str) -> ApiKey | None:
        """Whose session it is, while it lasts."""
        with self._lock:
            key, until = self._open.get(hashed(cookie), (None, 0.0))
        return key if until > self._clock() else None

    def end(self, cookie: str) -> None:
        """Forget it."""
        with self._lock:
            self._open.pop(hashed(cookie), None)
