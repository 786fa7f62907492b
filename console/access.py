"""Access control: API keys with roles and course scopes.

A key is 32 random bytes, so its plain SHA-256 is stored (slow hashes protect secrets that people choose). The
file that ``HOMEROOM_CONSOLE_KEYS`` names holds the hashes::

    [[key]]
    name = "Ada Byron"
    role = "instructor"           # viewer: reads; instructor: also acts; admin: all courses
    courses = ["BBB", "CCC/2014B"]  # a course with all of its runs, or one run
    sha256 = "…"

``homeroom console-key NAME`` makes one. The file is read at start, and when it changes.
"""

import hashlib
import logging
import secrets
import threading
import time
import tomllib
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from schemas.errors import HomeroomError

Role = Literal["viewer", "instructor", "admin"]

PREFIX = "hr_"
log = logging.getLogger(__name__)


class AccessError(HomeroomError, ValueError):
    """The file of keys is missing or invalid. The message is one readable line."""


class ApiKey(BaseModel):
    """One entry of the file: whose key, what it may do, where, and the key's hash."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: Annotated[str, Field(min_length=1, max_length=100)]
    role: Role
    courses: Annotated[tuple[Annotated[str, Field(min_length=1, max_length=128)], ...], Field()] = ()
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]

    @property
    def acts(self) -> bool:
        """Whether the key may send anything."""
        return self.role != "viewer"

    def sees(self, course_run: str) -> bool:
        """Whether a course run is within its scope."""
        if self.role == "admin":
            return True
        return any(course_run == scope or course_run.startswith(scope + "/") for scope in self.courses)


def make_key(name: str, role: Role, courses: Iterable[str]) -> tuple[str, ApiKey]:
    """A new key, which is shown once, and its entry, which is stored.

    Raises:
        AccessError: the name or a course is not valid.
    """
    key = PREFIX + secrets.token_urlsafe(32)
    try:
        return key, ApiKey(name=name, role=role, courses=tuple(courses), sha256=hash_key(key))
    except ValidationError as errors:
        error = errors.errors(include_url=False)[0]
        field = ".".join(str(part) for part in error["loc"])
        raise AccessError(f"{field} is {error['input']!r:.80}: {error['msg']}") from None


def entry(key: ApiKey) -> str:
    """The entry as TOML, for the file."""
    courses = ", ".join(_quoted(course) for course in key.courses)
    return (
        f"[[key]]\nname = {_quoted(key.name)}\nrole = {_quoted(key.role)}\n"
        f"courses = [{courses}]\nsha256 = {_quoted(key.sha256)}\n"
    )


def _quoted(text: str) -> str:
    """A TOML basic string."""
    escaped = "".join(
        f"\\u{ord(character):04x}" if ord(character) < 32 or ord(character) == 127 else character
        for character in text.replace("\\", "\\\\").replace('"', '\\"')
    )
    return f'"{escaped}"'


def hash_key(key: str) -> str:
    """The hash of a key, which is stored in its place."""
    return hashlib.sha256(key.encode()).hexdigest()


def read_keys(path: Path) -> tuple[ApiKey, ...]:
    """The keys of a file.

    Raises:
        AccessError: the file does not exist, or an entry is invalid.
    """
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise AccessError(f"keys {path}: {error}") from None
    entries = content.pop("key", [])
    if content or not isinstance(entries, list) or not entries:
        raise AccessError(f"keys {path}: expected [[key]] entries and nothing else")
    keys = []
    for number, entry in enumerate(entries, 1):
        try:
            keys.append(ApiKey.model_validate(entry))
        except ValidationError as errors:
            first = errors.errors(include_url=False)[0]
            field = ".".join(str(part) for part in first["loc"]) or "entry"
            raise AccessError(f"keys {path}, entry {number}: {field}: {first['msg'].lower()}") from None
    return tuple(keys)


CHECK_EVERY_S = 1.0
"""Seconds between two checks whether the file has changed."""


class KeyRing:
    """The valid keys, by hash. Thread-safe.

    file: their source, which is read again when it changes; while it cannot be read, or an entry is invalid,
    the earlier keys stay valid, and the log has the reason.
    """

    def __init__(self, keys: Iterable[ApiKey], file: Path | None = None) -> None:
        self._keys = {key.sha256: key for key in keys}
        self._file = file
        self._version = _version(file)
        self._checked_at = time.monotonic()
        self._lock = threading.Lock()

    @classmethod
    def of_file(cls, file: Path) -> Self:
        """The keys of a file.

        Raises:
            AccessError: as :func:`read_keys`.
        """
        return cls(read_keys(file), file)

    def find(self, key: str) -> ApiKey | None:
        """The entry of a key; None if it is not valid. Hashing first prevents timing attacks."""
        return self.by_hash(hash_key(key))

    def by_hash(self, sha256: str) -> ApiKey | None:
        """The entry with this hash; None if there is none."""
        self._reload_if_changed()
        return self._keys.get(sha256)

    def _reload_if_changed(self) -> None:
        if self._file is None or time.monotonic() - self._checked_at < CHECK_EVERY_S:
            return
        with self._lock:
            self._checked_at = time.monotonic()
            version = _version(self._file)
            if version == self._version:
                return
            self._version = version
            try:
                self._keys = {key.sha256: key for key in read_keys(self._file)}
            except AccessError as error:
                log.error("the earlier keys stay valid: %s", error)
            else:
                log.info("the file of keys was reloaded: %d keys", len(self._keys))


def _version(file: Path | None) -> object:
    """A value that changes when the file does; None where it does not exist."""
    try:
        status = file.stat() if file else None
    except OSError:
        return None
    return (status.st_mtime_ns, status.st_size, status.st_ino) if status else None
