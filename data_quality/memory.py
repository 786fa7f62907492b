"""The state of the watch: the history of every scope, and the open alarms."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from math import fsum
from typing import Any

from pydantic import JsonValue, TypeAdapter

from data_quality.counts import Scope
from data_quality.history import History, dump, load
from schemas.quality import Problem

MIN_PART = 0.1
"""Least share of a run's events of its main sources."""


@dataclass(slots=True)
class Memory:
    """Histories by scope, and open alarms: (scope, problem) → their first event day."""

    histories: dict[Scope, History] = field(default_factory=dict)
    alarms: dict[tuple[Scope, Problem], int] = field(default_factory=dict)

    def history(self, scope: Scope) -> History:
        """The history of a scope; a new one is created."""
        return self.histories.setdefault(scope, History())

    def forget(self, phases: Mapping[str, float]) -> None:
        """Remove course runs that are not under way."""
        for scope in [scope for scope in self.histories if scope.run and scope.run not in phases]:
            del self.histories[scope]

    def is_explained(self, scope: Scope, problem: Problem) -> bool:
        """Whether an alarm of this problem is open for the scope or a wider one."""
        return any(scope.within(wider) and alarm_problem == problem for wider, alarm_problem in self.alarms)

    def has_quiet_alarm_around(self, scope: Scope) -> bool:
        """Whether the scope, a wider one or a part of it has an open alarm *quiet*."""
        parts = (part for part, problem in self.alarms if problem == "quiet" and part.within(scope))
        return self.is_explained(scope, "quiet") or any(parts)

    def fell_behind(self, scopes: list[Scope]) -> bool:
        """Whether some but not all of a run's sources, or a kind of one, are quiet or suspected."""
        quiet = [
            any(scope.within(alarmed) for alarmed, problem in self.alarms if problem == "quiet")
            for scope in scopes
        ]
        kinds = any(
            alarmed.kind and problem == "quiet" and scope.within(alarmed._replace(kind=""))
            for scope in scopes
            for alarmed, problem in self.alarms
        )
        suspected = any(self.history(scope).share.is_suspected for scope in scopes)
        return kinds or suspected or any(quiet) != all(quiet)

    def main_sources(self) -> dict[str, list[Scope]]:
        """Run → scopes in it of the sources with a considerable share of its recent events."""
        levels: dict[str, dict[Scope, float]] = {}
        for scope, history in self.histories.items():
            if scope.run and not scope.kind and history.level is not None:
                levels.setdefault(scope.run, {})[scope] = history.level.slow
        return {
            run: sorted(scope for scope, slow in parts.items() if slow >= MIN_PART * fsum(parts.values()))
            for run, parts in levels.items()
        }

    def state(self) -> dict[str, JsonValue]:
        """The state as JSON, for ``DayQuality.rhythm``."""
        streams: list[JsonValue] = [
            [*scope, *dump(self.histories[scope])] for scope in sorted(self.histories)
        ]
        alarms: list[JsonValue] = [
            [*scope, problem, self.alarms[scope, problem]] for scope, problem in sorted(self.alarms)
        ]
        return {"streams": streams, "open": alarms}

    @classmethod
    def from_state(cls, state: Mapping[str, JsonValue]) -> "Memory":
        """Restore from ``DayQuality.rhythm``.

        Raises:
            ValueError: the structure is another.
        """
        memory = cls()
        checked = _stored.validate_python(state) if state else _Stored()
        for source, run, kind, *rest in checked.streams:
            memory.histories[Scope(source, run, kind)] = load(rest)
        for source, run, kind, problem, since in checked.open:
            memory.alarms[Scope(source, run, kind), problem] = since
        return memory


@dataclass(frozen=True, slots=True)
class _Stored:
    """The structure of the serialised state."""

    streams: list[list[Any]] = field(default_factory=list)
    open: list[tuple[str, str, str, Problem, int]] = field(default_factory=list)


_stored: TypeAdapter[_Stored] = TypeAdapter(_Stored)
