"""Computes how many events each scope should have on a day, net of the common movement of its peers."""

from math import inf

from data_quality.counts import Scope
from data_quality.day import Day, LossEvidence, ShareComparison, movement_of
from data_quality.memory import Memory
from schemas.activity import ACTIVITY_KINDS


def expect(memory: Memory, today: Day) -> None:
    """Set the day's observed and expected events of each scope, and the movement of its peers."""
    _expect_shares(memory, today)
    _expect_together(memory, today)
    runs = {scope for scope in memory.histories if scope.run and not scope.kind}
    for scope in sorted(runs | {Scope(*key) for key in today.counts}):
        _expect_run(memory, today, scope)
    for source in sorted({scope.source for scope in today.observed}):
        _expect_source(today, source)
    whole = [scope for scope in today.expected if not scope.kind]
    for scope in whole:
        peers = [peer for peer in whole if bool(peer.run) == bool(scope.run) and peer != scope]
        if not scope.run:
            peers = [peer for peer in peers if peer.source != scope.source]
        today.movement[scope] = movement_of(today, peers)
    for scope in [scope for scope in today.expected if scope.kind]:
        today.movement[scope] = movement_of(today, [scope._replace(kind="")])


def _expect_shares(memory: Memory, today: Day) -> None:
    """Compare sources with the other sources of the same runs; whole sources where shares are known."""
    scopes = {scope for scope in memory.histories if scope.run and not scope.kind}
    for scope in sorted(scopes | {Scope(*key) for key in today.counts}):
        others = sum(
            int(counts.hours.sum())
            for (source, run), counts in today.counts.items()
            if run == scope.run and source != scope.source
        )
        if others and not today.is_ending(scope):
            level, events = memory.history(scope).level, float(today.hours(scope).sum())
            lasting_level = events if level is None else level.expected_slow(today.day)
            today.shares[scope] = ShareComparison(events, float(others), lasting_level)
    for source in sorted({scope.source for scope in today.shares}):
        parts = [
            scope
            for scope in today.shares
            if scope.source == source
            and memory.history(scope).share.is_warm
            and (scope, "quiet") not in memory.alarms  # a loss in this run alone is not the whole source's
        ]
        if parts:
            comparisons = [today.shares[part] for part in parts]
            today.shares[Scope(source)] = ShareComparison(
                sum(comparison.events for comparison in comparisons),
                sum(
                    comparison.others * memory.history(part).share.usual(today.day)
                    for part, comparison in zip(parts, comparisons, strict=True)
                ),
                sum(comparison.lasting_level for comparison in comparisons),
            )


def _expect_together(memory: Memory, today: Day) -> None:
    """Compare co-occurrence on the day with the usual one, for the main sources of each run.

    With several sources it does not show which one loses events, so runs are skipped in which one of them is
    known to be behind the others.
    """
    today.main_sources = memory.main_sources()
    for run in sorted(today.together):
        main_sources = today.main_sources.get(run, [])
        if today.is_ending(Scope("", run)) or memory.fell_behind(main_sources):
            continue
        for scope in main_sources:
            history, events = memory.history(scope), float(today.hours(scope).sum())
            lasting_level = 0.0 if history.level is None else history.level.expected_slow(today.day)
            # A reported loss is over when co-occurrence is back, not on a busier day.
            level_drop = (
                -inf
                if memory.has_quiet_alarm_around(scope)
                else ShareComparison(events, 0.0, lasting_level).level_drop
            )
            loss = history.companions.compare(today.together[run], level_drop)
            if loss is not None:
                today.losses[scope] = LossEvidence(events, events / loss.share_left, loss.ratio)
    for source in sorted({scope.source for scope in today.losses}):
        parts = [source_loss for scope, source_loss in today.losses.items() if scope.source == source]
        today.losses[Scope(source)] = LossEvidence(*(sum(each) for each in zip(*parts, strict=True)))


def _expect_run(memory: Memory, today: Day, run: Scope) -> None:
    hours = today.hours(run)
    by_kind = hours.sum(axis=1)
    today.observed[run] = float(by_kind.sum())
    for index, kind in enumerate(ACTIVITY_KINDS):
        scope = run._replace(kind=kind)
        if by_kind[index] or scope in memory.histories:
            today.observed[scope] = float(by_kind[index])
            _expect_level(memory, today, scope)
    _expect_level(memory, today, run)


def _expect_level(memory: Memory, today: Day, scope: Scope) -> None:
    history = memory.histories.get(scope)
    if history is not None and history.level is not None and history.noise.is_warm:
        today.expected[scope] = history.level.expected(today.day)


def _expect_source(today: Day, source: str) -> None:
    """A source's expectation is the sum over its runs, since runs begin and end."""
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
