"""Whether what Apprise read from a URL goes to the one address that was meant, and to nobody else. Pure.

Apprise's plugins look for addresses in a URL by patterns of their own, each kind of provider by another one.
What a pattern does not fit is cut, split or left out without a word; some then send to the sender. So before
a message goes, what the plugin holds is compared with what it holds for a *stand-in*: an address of the same
shape with every letter and digit replaced by another. Wherever the one plugin holds something of the address,
the other must hold the same of the stand-in, and that only where both hold it whole. A piece of an address
differs from the stand-in's piece, so it is found.
"""

from collections.abc import Callable
from string import ascii_lowercase, ascii_uppercase, digits
from typing import Any

TURNS = (1, 4, 7)
"""By how many places the letters are turned to make a stand-in. One that the plugin does not take (it may
know all countries' prefixes) shows nothing, so there are several."""

PARTS = ("user", "password", "host", "port", "fullpath")
"""Attributes of every plugin, with the URL as it came: where targets are read from it, they are elsewhere."""

Plugin = Any
"""An object of Apprise's; only its attributes are looked at."""


def goes_to(address: str, make: Callable[[str], Plugin | None]) -> bool:
    """Whether ``make(address)`` sends to that address and nowhere else; None of ``make`` is a refusal."""
    meant = make(address)
    if meant is None:
        return False
    stand_ins = [_turned(address, by) for by in TURNS]
    return any(
        (other := make(stand_in)) is not None and _same_but_for(meant, address, other, stand_in)
        for stand_in in stand_ins
        if stand_in != address
    )


def _same_but_for(meant: Plugin, address: str, other: Plugin, stand_in: str) -> bool:
    """Whether two plugins differ by the whole addresses alone, and among whom they send to."""
    ours, theirs = _held(meant), _held(other)
    parts = PARTS if "targets" in meant.template_tokens else ()
    differ = {name for name in ours if ours[name] != theirs.get(name)} - set(parts)
    return bool(differ) and _with(theirs, stand_in, address) == ours


def _turned(address: str, by: int) -> str:
    """The address with each letter and digit replaced by one that comes later in its row, round and round."""
    table = {
        ord(row[at]): row[(at + by) % len(row)]
        for row in (ascii_lowercase, ascii_uppercase, digits)
        for at in range(len(row))
    }
    return address.translate(table)


def _held(plugin: Plugin) -> dict[str, Any]:
    """What a plugin was made with, as far as it is plain data."""
    return {name: value for name, value in vars(plugin).items() if _is_plain(value) and "invalid" not in name}


def _is_plain(value: Any) -> bool:
    if isinstance(value, dict):
        return all(map(_is_plain, [*value, *value.values()]))
    if isinstance(value, list | tuple | set | frozenset):
        return all(map(_is_plain, value))
    return value is None or isinstance(value, str | bytes | int | float)


def _with(value: Any, stand_in: str, address: str) -> Any:
    """Plain data with the address wherever the stand-in is, whole."""
    if isinstance(value, dict):
        return {_with(k, stand_in, address): _with(v, stand_in, address) for k, v in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return type(value)(_with(one, stand_in, address) for one in value)
    if not isinstance(value, str):
        return value
    for form, ours in zip(_forms(stand_in), _forms(address), strict=True):
        if form in value:
            return value.replace(form, ours)
    return value


def _forms(address: str) -> tuple[str, ...]:
    """How a plugin may write an address and mean the same: a telephone number without its +, too."""
    return (address, address.removeprefix("+"))
