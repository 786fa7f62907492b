"""Policy files: read and checked, the one in force on a day, and read again while a worker runs.

``HOMEROOM_POLICY`` names a file or a folder of them. On each event day the policy with the latest
``effective_from`` that has come is in force; before all of them, the worker's default. The trainer's shell
asks once a day and puts the answer into the day package, so that all partitions change over together.
"""

import logging
from collections.abc import Sequence
from datetime import UTC, date, datetime
from itertools import pairwise
from pathlib import Path

from features.catalogue import FEATURES
from nudges.policy import Policy
from nudges.policy_file import PolicyError, parse_policy
from schemas.errors import HomeroomError
from schemas.fields import DAY_S

log = logging.getLogger(__name__)

NAMES = tuple(feature.name for feature in FEATURES)
SUFFIXES = (".yaml", ".yml")


class PolicyFileError(HomeroomError, ValueError):
    """A policy file cannot be read, or is wrong. One readable line for each mistake."""


def read(path: Path) -> Policy:
    """The policy of a file. Raises ``PolicyFileError``."""
    try:
        return parse_policy(path.read_text(encoding="utf-8"), NAMES)
    except (OSError, UnicodeDecodeError) as error:
        raise PolicyFileError(f"{path}: cannot be read: {error}") from None
    except PolicyError as error:
        raise PolicyFileError("\n".join(f"{path}: {problem}" for problem in error.problems)) from None


def read_all(path: Path) -> list[Policy]:
    """The policy of a file, or those of a folder's YAML files, the earliest first.

    Raises ``PolicyFileError`` for whatever is wrong in any of them, and for two of the same day.
    """
    found = sorted(((read(file), file) for file in _files(path)), key=lambda one: _first_day(one[0]))
    for (one, file), (other, other_file) in pairwise(found):
        if _first_day(one) == _first_day(other):
            since = one.effective_from or "the beginning"
            raise PolicyFileError(
                f"{file} and {other_file} are both in force from {since}; expected another effective_from"
            )
    return [policy for policy, _ in found]


def in_force(policies: Sequence[Policy], day: int) -> Policy | None:
    """Of policies in the order of their days the one that decides on an event day, None before all."""
    today = datetime.fromtimestamp(day * DAY_S, UTC).date()
    return next((one for one in reversed(policies) if _first_day(one) <= today), None)


class Policies:
    """What a path holds, read again whenever something changed there. A mistake changes nothing."""

    def __init__(self, path: Path | None) -> None:
        """Raises ``PolicyFileError``: a worker must not start with rules that nobody wrote."""
        self._path = path
        self._seen = _state(path)
        self._policies = read_all(path) if path is not None else []

    def on(self, day: int) -> Policy | None:
        """The policy that decides on an event day; None where it is the worker's default."""
        state = _state(self._path)
        if state != self._seen and self._path is not None:
            self._seen = state
            try:
                self._policies = read_all(self._path)
                log.info("policies read again: %s", ", ".join(one.version for one in self._policies))
            except PolicyFileError as error:
                log.error("policies stay as they were: %s", error)
        return in_force(self._policies, day)


def _files(path: Path) -> list[Path]:
    if not path.is_dir():
        return [path]
    found = sorted(file for file in path.iterdir() if file.suffix in SUFFIXES)
    if not found:
        raise PolicyFileError(f"{path}: holds no policy; expected a file that ends with .yaml")
    return found


def _first_day(policy: Policy) -> date:
    return policy.effective_from or date.min


def _state(path: Path | None) -> list[tuple[str, int, int]]:
    """What tells whether anything changed: names, sizes and times; nothing where nothing is."""
    try:
        files = [] if path is None else [path] if path.is_file() else sorted(path.iterdir())
        return [(file.name, file.stat().st_size, file.stat().st_mtime_ns) for file in files]
    except OSError:
        return []
