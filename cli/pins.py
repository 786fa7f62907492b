"""The libraries that are pinned to one release, as ``pyproject.toml`` names them.

They are those whose private parts we use, each in one module (``tests/test_private_parts.py``), and those
whose results are proved for one release.
"""

import re
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, requires, version

_PINNED = re.compile(r"([A-Za-z0-9._-]+)==([^;\s]+)\s*(;.*extra.*)?$")


@dataclass(frozen=True, slots=True)
class Pin:
    """A pinned library. installed: its release, None where there is none. optional: it is of an extra."""

    package: str
    release: str
    installed: str | None
    optional: bool

    @property
    def is_broken(self) -> bool:
        """Whether another release is installed, or none where a worker needs one."""
        return self.installed != self.release and not (self.optional and self.installed is None)


def pins() -> list[Pin]:
    """The pinned libraries of the installed homeroom, in the order of their names."""
    found = [match for text in requires("homeroom") or () if (match := _PINNED.match(text))]
    return sorted(
        (
            Pin(name, release, _installed(name), extra is not None)
            for name, release, extra in map(_groups, found)
        ),
        key=lambda pin: pin.package,
    )


def _groups(match: re.Match[str]) -> tuple[str, str, str | None]:
    return match[1], match[2], match[3]


def _installed(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None
