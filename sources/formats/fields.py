"""Reads fields of platforms' events: texts, numbers, moments, durations. Nothing is guessed."""

import re
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from hashlib import blake2b
from math import isfinite
from typing import Any

import msgspec
import orjson

from schemas.fields import shorten
from sources.formats.translation import InvalidFieldError

_decode = msgspec.json.decode
_MAX_DEPTH_ERRORS = (msgspec.DecodeError, ValueError, RecursionError)
_DIGITS = re.compile(r"-?\d{1,18}")


def parse_json(value: bytes | str | None, field: str = "") -> Any:
    """The JSON of a value.

    Raises:
        InvalidFieldError: it is none.
    """
    if value is None:
        raise InvalidFieldError(field or "value", None, "JSON", "malformed")
    try:
        return _decode(value)
    except _MAX_DEPTH_ERRORS as error:
        raise InvalidFieldError(field or "value", value, f"JSON ({error})", "malformed") from None


def parse_object(value: bytes | str | None, field: str = "") -> dict[str, Any]:
    """The JSON object of a value.

    Raises:
        InvalidFieldError: it is none.
    """
    return as_object(parse_json(value, field), field or "value")


def as_object(found: Any, field: str) -> dict[str, Any]:
    """A value that must be an object."""
    if not isinstance(found, dict):
        raise InvalidFieldError(field, found, "a JSON object", "malformed")
    return found


def child(parent: Any, *path: str) -> Any:
    """What lies at a path of nested objects; None where a part of it is not there, or is no object."""
    for name in path:
        if not isinstance(parent, dict):
            return None
        parent = parent.get(name)
    return parent


def name_of(found: Any, field: str, expected: str = "a text or a number") -> str:
    """An identifier: a text, or a whole number as its digits; beyond 128 characters its start and a digest.

    Raises:
        InvalidFieldError: it is neither, or empty.
    """
    if type(found) is int:
        return str(found)
    if not isinstance(found, str) or not found or found.isspace():
        raise InvalidFieldError(field, found, expected)
    return found if len(found) <= 128 else shorten(found)


def optional_name(found: Any) -> str | None:
    """As :func:`name_of`; None where it is not there or no name."""
    if type(found) is int:
        return str(found)
    if not isinstance(found, str) or not found.strip():
        return None
    return found if len(found) <= 128 else shorten(found)


def number(found: Any, field: str) -> float | None:
    """A finite number, or a text that holds one; None where it is not there.

    Raises:
        InvalidFieldError: it is something else.
    """
    if found is None or found == "":
        return None
    if type(found) is bool or not isinstance(found, int | float | str):
        raise InvalidFieldError(field, found, "a number")
    try:
        value = float(found)
    except (ValueError, OverflowError):
        raise InvalidFieldError(field, found, "a number") from None
    if not -1e300 < value < 1e300:
        raise InvalidFieldError(field, found, "a finite number")
    return value


def share(part: float | None, whole: float | None) -> float | None:
    """A part of a whole; None where one is missing or the whole is not positive. Not rounded, not clamped."""
    if part is None or whole is None or whole <= 0:
        return None
    return part / whole


def moment(found: Any, field: str) -> str:
    """A moment with its zone, as it is written (RFC 3339).

    Raises:
        InvalidFieldError: it is none, or has no zone.
    """
    if not isinstance(found, str):
        raise InvalidFieldError(field, found, "a moment with its zone, such as 2026-03-02T18:22:09Z")
    try:
        parsed = datetime.fromisoformat(found)
    except ValueError:
        raise InvalidFieldError(field, found, "a moment (RFC 3339)") from None
    if parsed.tzinfo is None:
        raise InvalidFieldError(field, found, "a moment with its zone, such as 2026-03-02T18:22:09Z")
    return found if "T" in found else parsed.isoformat()


def moment_in_utc(found: Any, field: str) -> str:
    """As :func:`moment`, for formats whose times without a zone are in UTC."""
    if isinstance(found, str):
        try:
            parsed = datetime.fromisoformat(found)
        except ValueError:
            raise InvalidFieldError(field, found, "a moment (RFC 3339)") from None
        if parsed.tzinfo is None:
            return parsed.isoformat() + "Z"
    return moment(found, field)


def moment_of_epoch(found: Any, field: str, per_second: int = 1) -> str:
    """A moment that is written as epoch seconds, or as so many parts of them a second (1,000: milliseconds).

    Raises:
        InvalidFieldError: it is no whole number, or lies outside the years 1 to 9999.
    """
    if isinstance(found, str) and _DIGITS.fullmatch(found.strip()):
        found = int(found)
    if type(found) is float and isfinite(found):
        found = int(found)
    if type(found) is not int:
        raise InvalidFieldError(field, found, "epoch seconds")
    try:
        parsed = datetime.fromtimestamp(found // per_second, UTC) + timedelta(
            microseconds=found % per_second * 1_000_000 // per_second
        )
    except (ValueError, OverflowError, OSError):
        raise InvalidFieldError(field, found, "epoch seconds") from None
    return parsed.isoformat().replace("+00:00", "Z")


_DURATION = re.compile(
    r"P(?:(?P<weeks>\d+(?:\.\d+)?)W)?(?:(?P<days>\d+(?:\.\d+)?)D)?"
    r"(?:T(?:(?P<hours>\d+(?:\.\d+)?)H)?(?:(?P<minutes>\d+(?:\.\d+)?)M)?(?:(?P<seconds>\d+(?:\.\d+)?)S)?)?"
)
_UNIT_S = {"weeks": 604_800, "days": 86_400, "hours": 3_600, "minutes": 60, "seconds": 1}


def duration_s(found: Any) -> float | None:
    """Seconds of an ISO 8601 duration (``PT4M12.5S``), at most a day; None if it is none, or has months."""
    if not isinstance(found, str) or len(found) > 64:
        return None
    if found[:2] == "PT" and found[-1] == "S" and found[2:-1].isdecimal() and found.isascii():
        return min(float(found[2:-1]), 86_400.0)  # by far the commonest, without the pattern's cost
    matched = _DURATION.fullmatch(found)
    if matched is None or not any(matched.groups()):
        return None
    seconds = sum(float(amount) * _UNIT_S[unit] for unit, amount in matched.groupdict().items() if amount)
    return min(seconds, 86_400.0)


def take_plain(found: Mapping[str, Any], names: Iterable[str], message: dict[str, Any], path: str) -> None:
    """Put fields of our own into a message as they are: the worker validates them.

    Raises:
        InvalidFieldError: one holds what JSON of 64-bit numbers cannot say.
    """
    for name in names:
        if name in found:
            try:
                orjson.dumps(found[name])
            except TypeError:
                raise InvalidFieldError(f"{path}.{name}", found[name], "JSON of 64 bits") from None
            message[name] = found[name]


def content_id(*parts: bytes | str) -> str:
    """An event id for events that have none: a digest of what they say. Equal parts give the same one."""
    digest = blake2b(digest_size=16)
    for part in parts:
        content = part if isinstance(part, bytes) else part.encode(errors="surrogatepass")
        digest.update(len(content).to_bytes(8, "big"))
        digest.update(content)
    return digest.hexdigest()


def header(headers: Mapping[str, bytes], name: str) -> str | None:
    """A header of a record as text; None where it is not there."""
    found = headers.get(name)
    return None if found is None else found.decode(errors="replace")
