"""Checks that the plugin which Apprise makes of a URL sends to one given address and nowhere else. Pure.

Apprise's plugins look for addresses in a URL by patterns of their own, each kind of provider by another one.
What a pattern does not match is cut, split or left out silently; some plugins then send to the sender. So
before a message is sent, the plugin's attributes are compared with those of a plugin for a *stand-in*: an
address of the same shape with every letter and digit replaced by another. The attributes may differ only
where one has the whole address and the other the whole stand-in. A part of an address differs from the
stand-in's part, so it is detected.
"""

from collections.abc import Callable
from string import ascii_lowercase, ascii_uppercase, digits
from typing import Any

SHIFTS = (1, 4, 7)
"""By how many positions letters and digits are shifted to make a stand-in. One that the plugin rejects (it
may check country prefixes) shows nothing, so there are several."""

PARTS = ("user", "password", "host", "port", "fullpath")
"""Attributes of every plugin that hold parts of the URL; parsed targets are in other ones."""

Plugin = Any
"""A plugin object of Apprise; only its attributes are read."""


def sends_only_to(address: str, make: Callable[[str], Plugin | None]) -> bool:
    """Whether ``make(address)`` sends to that address and nowhere else; None of ``make`` is a refusal."""
    plugin = make(address)
    if plugin is None:
        return False
    stand_ins = [_shifted(address, by) for by in SHIFTS]
    return any(
        (stand_in_plugin := make(stand_in)) is not None
        and _differ_by_address_only(plugin, address, stand_in_plugin, stand_in)
        for stand_in in stand_ins
        if stand_in != address
    )


def _differ_by_address_only(plugin: Plugin, address: str, other: Plugin, stand_in: str) -> bool:
    """Whether the attributes of two plugins differ in the whole addresses only."""
    held, stand_in_held = _plain_attributes(plugin), _plain_attributes(other)
    parts = PARTS if "targets" in plugin.template_tokens else ()
    differ = {name for name in held if held[name] != stand_in_held.get(name)} - set(parts)
    return bool(differ) and _with_address(stand_in_held, stand_in, address) == held


def _shifted(address: str, by: int) -> str:
    """The address with each letter and digit replaced by the one ``by`` positions later, cyclically."""
    table = {
        ord(characters[index]): characters[(index + by) % len(characters)]
        for characters in (ascii_lowercase, ascii_uppercase, digits)
        for index in range(len(characters))
    }
    return address.translate(table)


def _plain_attributes(plugin: Plugin) -> dict[str, Any]:
    """A plugin's attributes that are plain data."""
    return {name: value for name, value in vars(plugin).items() if _is_plain(value) and "invalid" not in name}


def _is_plain(value: Any) -> bool:
    if isinstance(value, dict):
        return all(map(_is_plain, [*value, *value.values()]))
    if isinstance(value, list | tuple | set | frozenset):
        return all(map(_is_plain, value))
    return value is None or isinstance(value, str | bytes | int | float)


def _with_address(value: Any, stand_in: str, address: str) -> Any:
    """Plain data with the address in place of every whole stand-in."""
    if isinstance(value, dict):
        return {
            _with_address(key, stand_in, address): _with_address(element, stand_in, address)
            for key, element in value.items()
        }
    if isinstance(value, list | tuple | set | frozenset):
        return type(value)(_with_address(element, stand_in, address) for element in value)
    if not isinstance(value, str):
        return value
    for form, spelling in zip(_forms(stand_in), _forms(address), strict=True):
        if form in value:
            return value.replace(form, spelling)
    return value


def _forms(address: str) -> tuple[str, ...]:
    """The spellings of an address in a plugin: also a telephone number without its +."""
    return (address, address.removeprefix("+"))
