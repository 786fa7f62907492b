"""Waits grow and vary; turns are spaced."""

import asyncio
import time

from notifier.pacing import Backoff, RateLimit


def test_waits_double_up_to_the_longest_and_are_drawn_anew() -> None:
    backoff = Backoff(first_s=5.0, longest_s=60.0, attempts=12)
    for attempt, whole in ((1, 5.0), (2, 10.0), (4, 40.0), (5, 60.0), (12, 60.0)):
        waits = {backoff.wait_s(attempt) for _ in range(200)}
        assert whole / 2 <= min(waits) < 0.6 * whole
        assert 0.9 * whole < max(waits) <= whole


def test_the_last_attempt_comes_hours_after_the_first() -> None:
    backoff = Backoff()
    total = sum(backoff.wait_s(attempt) for attempt in range(1, backoff.attempts))
    assert 1.2 * 3600 < total < 3 * 3600


async def test_turns_are_evenly_spaced_for_all_who_wait() -> None:
    limit = RateLimit(per_minute=1200.0)
    started = time.monotonic()
    await asyncio.gather(*(limit.wait() for _ in range(6)))
    assert time.monotonic() - started >= 5 * 0.05
