"""Updates the histories with an evaluated day, except those under an alarm."""

from data_quality.counts import FAULTS, Scope
from data_quality.day import Day
from data_quality.history import FaultShare, learn_profile
from data_quality.memory import Memory
from data_quality.rhythm import Level

STRETCH_FADES = 0.98


def learn(memory: Memory, today: Day) -> None:
    """Update the histories of all scopes without an open alarm."""
    for scope, observed in today.observed.items():
        history = memory.history(scope)
        if memory.is_explained(scope, "quiet"):
            if (scope, "quiet") not in memory.alarms:
                history.silence = 0.0  # the wider scope's alarm covers it
            continue
        expected = today.expected.get(scope)
        if scope.run:
            if history.level is None:
                history.level = Level(observed + 0.5, observed + 0.5)
            expected = history.level.expected(today.day)
            if scope.kind or not (history.is_suspected or memory.history(Scope(scope.source)).is_suspected):
                history.level.learn(today.day, observed)
        if expected is not None:
            history.noise.learn(observed, expected * today.movement.get(scope, 1.0))
        history.stretch = max(history.stretch * STRETCH_FADES, today.stretches.get(scope, 0.0))
        if not scope.run and not scope.kind:
            learn_profile(history, today.by_hour(scope))
    for scope, comparison in today.shares.items():
        if not memory.is_explained(scope, "quiet"):
            memory.history(scope).share.learn(today.day, comparison.events, comparison.others)
    _learn_together(memory, today)
    _learn_shares(memory, today)


def _learn_together(memory: Memory, today: Day) -> None:
    for run, together in today.together.items():
        main_sources = today.main_sources.get(run, [])
        for scope in [] if memory.fell_behind(main_sources) else main_sources:
            whole = memory.history(Scope(scope.source)).companions
            if not (memory.is_explained(scope, "quiet") or whole.is_suspected):
                memory.history(scope).companions.learn(together)


def _learn_shares(memory: Memory, today: Day) -> None:
    for scope in today.totals:
        total = today.records(scope)
        for fault in FAULTS:
            if total and not memory.is_explained(scope, fault):
                share = memory.history(scope).shares.setdefault(fault, FaultShare())
                share.learn(today.totals[scope].faults.get(fault, 0) / total)
