"""All that the watch remembers: the history of every scope, and the alarms that are open."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from math import fsum
from typing import Any

from pydantic import JsonValue, TypeAdapter

from data_quality.counts import Scope
from data_quality.history import History, dump, load
from schemas.quality import Problem

LEAST_PART = 0.1
"""Share of a run's events that a source brings at least, to be one of those that it rests on."""


@dataclass(slots=True)
class Memory:
    """Histories by scope, and open alarms: (scope, problem) → the event day since when."""

    histories: dict[Scope, History] = field(default_factory=dict)
    alarms: dict[tuple[Scope, Problem], int] = field(default_factory=dict)

    def history(self, scope: Scope) -> History:
        """What is remembered of a scope; an empty history where it is new."""
        return self.histories.setdefault(scope, History())

    def forget(self, phases: Mapping[str, float]) -> None:
        """Let go of course runs that are not on."""
        for scope in [scope for scope in self.histories if scope.run and scope.run not in phases]:
            del self.histories[scope]

    def is_explained(self, scope: Scope, problem: Problem) -> bool:
        """Whether an alarm of this problem is open for the scope or a wider one."""
        return any(scope.within(wider) and of == problem for wider, of in self.alarms)

    def is_open_around(self, scope: Scope) -> bool:
        """Whether a wider scope, this one or a part of it is known to be quiet."""
        parts = (one for one, problem in self.alarms if problem == "quiet" and one.within(scope))
        return self.is_explained(scope, "quiet") or any(parts)

    def fell_behind(self, scopes: list[Scope]) -> bool:
        """Whether one of a run's sources, but not all, or a kind of one, is quiet or doubted."""
        quiet = [any(scope.within(one) for one, of in self.alarms if of == "quiet") for scope in scopes]
        kinds = any(
            one.kind and of == "quiet" and scope.within(one._replace(kind=""))
            for scope in scopes
            for one, of in self.alarms
        )
        doubted = any(self.history(scope).share.doubted for scope in scopes)
        return kinds or doubted or any(quiet) != all(quiet)

    def main_parts(self) -> dict[str, list[Scope]]:
        """By run: of the sources that brought events of it lately, the parts that matter."""
        levels: dict[str, dict[Scope, float]] = {}
        for scope, history in self.histories.items():
            if scope.run and not scope.kind and history.level is not None:
                levels.setdefault(scope.run, {})[scope] = history.level.slow
        return {
            run: sorted(scope for scope, slow in parts.items() if slow >= LEAST_PART * fsum(parts.values()))
            for run, parts in levels.items()
        }

    def state(self) -> dict[str, JsonValue]:
        """As JSON, for the day package."""
        streams: list[JsonValue] = [
            [*scope, *dump(self.histories[scope])] for scope in sorted(self.histories)
        ]
        alarms: list[JsonValue] = [
            [*scope, problem, self.alarms[scope, problem]] for scope, problem in sorted(self.alarms)
        ]
        return {"streams": streams, "open": alarms}

    @classmethod
    def from_state(cls, state: Mapping[str, JsonValue]) -> "Memory":
        """Go on from ``DayQuality.rhythm``. Raises ``ValueError`` where it is not one."""
        found = cls()
        checked = _stored.validate_python(state) if state else _Stored()
        for source, run, kind, *rest in checked.streams:
            found.histories[Scope(source, run, kind)] = load(rest)
        for source, run, kind, problem, since in checked.open:
            found.alarms[Scope(source, run, kind), problem] = since
        return found


@dataclass(frozen=True, slots=True)
class _Stored:
    """What the state must look like."""

    streams: list[list[Any]] = field(default_factory=list)
    open: list[tuple[str, str, str, Problem, int]] = field(default_factory=list)


_stored: TypeAdapter[_Stored] = TypeAdapter(_Stored)
