"""Who a statement is about: agents, and groups by their members (xAPI 1.0.3, part 2, 2.4.2)."""

from functools import lru_cache
from hashlib import blake2b, sha1
from typing import Any, NamedTuple

from sources.formats.fields import name_of
from sources.formats.translation import InvalidFieldError
from sources.formats.xapi.terms import HOME_PAGE

_IDENTIFIERS = frozenset({"account", "mbox", "mbox_sha1sum", "openid"})
_EXPECTED = f"exactly one of {', '.join(sorted(_IDENTIFIERS))}"
_PLATFORM_CHARS = frozenset("abcdefghijklmnopqrstuvwxyz0123456789._-")
_MAX_PLATFORM = 32
_HEX = frozenset("0123456789abcdef")


class Person(NamedTuple):
    """A learner's name, and the platform that gave it; None where a name is nobody's in particular."""

    learner: str
    platform: str | None


def is_group(found: Any) -> bool:
    """Whether an actor is a group, as its type says or its members."""
    return isinstance(found, dict) and (found.get("objectType") == "Group" or "member" in found)


def person_of(found: Any, field: str) -> Person:
    """Who an agent is. No message or refusal shows a mail address.

    Raises:
        InvalidFieldError: it is no agent, or it has not exactly one identifier.
    """
    if not isinstance(found, dict):
        raise InvalidFieldError(field, None if found is None else type(found).__name__, "an Agent")
    given = found.keys() & _IDENTIFIERS
    if len(given) != 1:
        given = {name for name in given if found[name] is not None}
    if len(given) != 1:
        raise InvalidFieldError(field, sorted(given) or None, _EXPECTED)
    (identifier,) = given
    return _READ[identifier](found[identifier], f"{field}.{identifier}")


def _account(found: Any, field: str) -> Person:
    if not isinstance(found, dict):
        raise InvalidFieldError(field, type(found).__name__, "an object with homePage and name")
    home_page = found.get("homePage")
    if not isinstance(home_page, str) or not home_page:
        raise InvalidFieldError(f"{field}.homePage", home_page, "the address of the platform")
    return Person(_name(found.get("name"), f"{field}.name"), platform_of(home_page))


def _name(found: Any, field: str) -> str:
    name = name_of(found, field)
    return _digest(found) if "@" in name and _is_address(found) else name


def _openid(found: Any, field: str) -> Person:
    return Person(_name(found, field), None)


def _mbox(found: Any, field: str) -> Person:
    if isinstance(found, str) and found[:7].lower() == "mailto:" and "@" in found:
        return Person(_digest(found[7:]), None)
    raise InvalidFieldError(field, type(found).__name__, "mailto: and an address")


def _sha1sum(found: Any, field: str) -> Person:
    if isinstance(found, str) and len(found) == 40 and _HEX.issuperset(found.lower()):
        return Person(found.lower(), None)
    raise InvalidFieldError(field, type(found).__name__, "a SHA-1 in 40 hexadecimal digits")


_READ = {"account": _account, "mbox": _mbox, "mbox_sha1sum": _sha1sum, "openid": _openid}


def _is_address(name: str) -> bool:
    start, _, host = name.partition("@")
    return bool(start) and "." in host and "@" not in host and not any(map(str.isspace, name))


def _digest(address: str) -> str:
    """As ``mbox_sha1sum`` has it, of the address in lower case."""
    digest = sha1(f"mailto:{address.lower()}".encode(errors="surrogatepass"), usedforsecurity=False)
    return digest.hexdigest()


@lru_cache(maxsize=1_024)
def platform_of(home_page: str) -> str | None:
    """The name of a platform, by the host and port of an account's home page; None for our own.

    A host that is too long, or has characters that names of platforms may not have, ends in a digest.
    """
    host = home_page.partition("://")[2] or home_page
    for end in "/?#":
        host = host.partition(end)[0]
    host = host.rpartition("@")[2].lower()
    if host == HOME_PAGE.partition("://")[2]:
        return None
    name = host.replace(":", "-")
    if name and len(name) <= _MAX_PLATFORM and _PLATFORM_CHARS.issuperset(name) and name[0] not in "._-":
        return name
    digest = blake2b(host.encode(errors="surrogatepass"), digest_size=4).hexdigest()
    start = "".join(char for char in name if char in _PLATFORM_CHARS).lstrip("._-")
    return f"{start[: _MAX_PLATFORM - 9] or 'host'}-{digest}"
