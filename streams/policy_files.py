"""Policy files: reading, validation, which policy is in force on a day, and reloading while a worker runs.

``HOMEROOM_POLICY`` names a file or a folder of them. On each event day the policy with the latest
``effective_from`` that is not after it is in force; before all of them, the worker's default. The trainer
agent looks it up once a day and puts it into the day package, so that all partitions change over together.
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

FEATURE_NAMES = tuple(feature.name for feature in FEATURES)
SUFFIXES = (".yaml", ".yml")


class PolicyFileError(HomeroomError, ValueError):
    """A policy file cannot be read, or is wrong. One readable line for each mistake."""


def read_policy(path: Path) -> Policy:
    """The policy of a file.

    Raises:
        PolicyFileError: the file cannot be read, or is no valid policy.
    """
    try:
        return parse_policy(path.read_text(encoding="utf-8"), FEATURE_NAMES)
    except (OSError, UnicodeDecodeError) as error:
        raise PolicyFileError(f"{path}: cannot be read: {error}") from None
    except PolicyError as error:
        raise PolicyFileError("\n".join(f"{path}: {problem}" for problem in error.problems)) from None


def read_policies(path: Path) -> list[Policy]:
    """The policy of a file, or those of a folder's YAML files, the earliest first.

    Raises:
        PolicyFileError: a file cannot be read or is no valid policy, or two are in force from the same day.
    """
    files = _files(path)
    policies = sorted(zip(map(read_policy, files), files, strict=True), key=lambda pair: _first_day(pair[0]))
    for (policy, file), (next_policy, next_file) in pairwise(policies):
        if _first_day(policy) == _first_day(next_policy):
            since = policy.effective_from or "the beginning"
            raise PolicyFileError(
                f"{file} and {next_file} are both in force from {since}; expected another effective_from"
            )
    return [policy for policy, _ in policies]


def in_force(policies: Sequence[Policy], day: int) -> Policy | None:
    """Of policies in the order of their days the one in force on an event day, None before all."""
    today = datetime.fromtimestamp(day * DAY_S, UTC).date()
    return next((policy for policy in reversed(policies) if _first_day(policy) <= today), None)


class Policies:
    """The policies of a path, reloaded when its files change; an invalid file leaves them as they are."""

    def __init__(self, path: Path | None) -> None:
        """Load the policies; None for none.

        Raises:
            PolicyFileError: one is invalid; a worker does not start with other rules than those written.
        """
        self._path = path
        self._file_state = _file_state_of(path)
        self._policies = read_policies(path) if path is not None else []

    def in_force_on(self, day: int) -> Policy | None:
        """The policy in force on an event day; None where it is the worker's default."""
        state = _file_state_of(self._path)
        if state != self._file_state and self._path is not None:
            self._file_state = state
            try:
                self._policies = read_policies(self._path)
                log.info("policies read again: %s", ", ".join(policy.version for policy in self._policies))
            except PolicyFileError as error:
                log.error("policies stay as they were: %s", error)
        return in_force(self._policies, day)


def _files(path: Path) -> list[Path]:
    if not path.is_dir():
        return [path]
    files = sorted(file for file in path.iterdir() if file.suffix in SUFFIXES)
    if not files:
        raise PolicyFileError(f"{path}: holds no policy; expected a file that ends with .yaml")
    return files


def _first_day(policy: Policy) -> date:
    return policy.effective_from or date.min


def _file_state_of(path: Path | None) -> list[tuple[str, int, int]]:
    """Names, sizes and modification times of the files, to notice changes; empty where there are none."""
    try:
        files = [] if path is None else [path] if path.is_file() else sorted(path.iterdir())
        return [(file.name, file.stat().st_size, file.stat().st_mtime_ns) for file in files]
    except OSError:
        return []
