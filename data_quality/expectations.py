"""What each scope should have brought on a day, the movement of all others taken out."""

from math import inf

from data_quality.counts import Scope
from data_quality.day import Beside, Day, Torn, movement_of
from data_quality.memory import Memory
from schemas.activity import ACTIVITY_KINDS


def expect(memory: Memory, today: Day) -> None:
    """What each scope brought, and what it should have, everybody's movement taken out."""
    _expect_shares(memory, today)
    _expect_together(memory, today)
    runs = {scope for scope in memory.histories if scope.run and not scope.kind}
    for scope in sorted(runs | {Scope(*key) for key in today.counts}):
        _expect_run(memory, today, scope)
    for source in sorted({scope.source for scope in today.observed}):
        _expect_source(today, source)
    whole = [scope for scope in today.expected if not scope.kind]
    for scope in whole:
        peers = [one for one in whole if bool(one.run) == bool(scope.run) and one != scope]
        if not scope.run:
            peers = [one for one in peers if one.source != scope.source]
        today.movement[scope] = movement_of(today, peers)
    for scope in [scope for scope in today.expected if scope.kind]:
        today.movement[scope] = movement_of(today, [scope._replace(kind="")])


def _expect_shares(memory: Memory, today: Day) -> None:
    """What the other sources of the same runs brought; for a whole source, where shares are known."""
    known = {scope for scope in memory.histories if scope.run and not scope.kind}
    for scope in sorted(known | {Scope(*key) for key in today.counts}):
        others = sum(
            int(one.hours.sum())
            for (source, run), one in today.counts.items()
            if run == scope.run and source != scope.source
        )
        if others and not today.is_ending(scope):
            level, brought = memory.history(scope).level, float(today.hours(scope).sum())
            slow = brought if level is None else level.lasting(today.day)
            today.shares[scope] = Beside(brought, float(others), slow)
    for source in sorted({scope.source for scope in today.shares}):
        parts = [
            scope
            for scope in today.shares
            if scope.source == source
            and memory.history(scope).share.warm
            and (scope, "quiet") not in memory.alarms  # its own loss is not the whole source's
        ]
        if parts:
            found = [today.shares[part] for part in parts]
            today.shares[Scope(source)] = Beside(
                sum(one.brought for one in found),
                sum(
                    one.others * memory.history(part).share.usual(today.day)
                    for part, one in zip(parts, found, strict=True)
                ),
                sum(one.slow for one in found),
            )


def _expect_together(memory: Memory, today: Day) -> None:
    """How far what learners do together was torn apart, of the sources that a run rests on.

    Nobody can say whose events are missing where several bring them, so it is looked for only where none
    of these sources is known to have fallen behind the others.
    """
    today.rests_on = memory.main_parts()
    for run in sorted(today.together):
        rests_on = today.rests_on.get(run, [])
        if today.is_ending(Scope("", run)) or memory.fell_behind(rests_on):
            continue
        for scope in rests_on:
            history, brought = memory.history(scope), float(today.hours(scope).sum())
            slow = 0.0 if history.level is None else history.level.lasting(today.day)
            # A loss that is told is over when things go together again, not on a day that is busier.
            own = -inf if memory.is_open_around(scope) else Beside(brought, 0.0, slow).own
            found = history.companions.look(today.together[run], own)
            if found is not None:
                today.torn[scope] = Torn(brought, brought / found.left, found.ratio)
    for source in sorted({scope.source for scope in today.torn}):
        parts = [torn for scope, torn in today.torn.items() if scope.source == source]
        today.torn[Scope(source)] = Torn(*(sum(each) for each in zip(*parts, strict=True)))


def _expect_run(memory: Memory, today: Day, run: Scope) -> None:
    hours = today.hours(run)
    by_kind = hours.sum(axis=1)
    today.observed[run] = float(by_kind.sum())
    for place, kind in enumerate(ACTIVITY_KINDS):
        scope = run._replace(kind=kind)
        if by_kind[place] or scope in memory.histories:
            today.observed[scope] = float(by_kind[place])
            _expect_level(memory, today, scope)
    _expect_level(memory, today, run)


def _expect_level(memory: Memory, today: Day, scope: Scope) -> None:
    history = memory.histories.get(scope)
    if history is not None and history.level is not None and history.noise.warm:
        today.expected[scope] = history.level.expected(today.day)


def _expect_source(today: Day, source: str) -> None:
    """A source's expectation is that of its runs: some begin and some end."""
    for kind in ("", *ACTIVITY_KINDS):
        parts = [
            scope
            for scope in today.expected
            if scope.source == source and scope.run and scope.kind == kind and not today.is_ending(scope)
        ]
        if parts:
            whole = Scope(source, "", kind)
            today.expected[whole] = sum(today.expected[part] for part in parts)
            today.observed[whole] = sum(today.observed[part] for part in parts)
