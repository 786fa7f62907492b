"""The rate limit of a channel, and the backoff between attempts."""

import asyncio
import time
from dataclasses import dataclass
from random import SystemRandom

_random = SystemRandom()


@dataclass(frozen=True, slots=True)
class Backoff:
    """Waits that double, each drawn anew between half and the whole of its length.

    The draw keeps nudges that failed together from coming back together (Brooker, "Exponential backoff and
    jitter", AWS Architecture Blog, 2015: "equal jitter"). With the defaults the last of twelve attempts is
    made one and a half to three hours after the first.
    """

    first_s: float = 5.0
    longest_s: float = 3600.0
    attempts: int = 12

    def wait_s(self, attempt: int) -> float:
        """Seconds to wait after the attempt, the first being 1."""
        longest = min(self.longest_s, self.first_s * 2.0 ** (attempt - 1))
        return longest * _random.uniform(0.5, 1.0)


class RateLimit:
    """At most ``per_minute`` turns a minute, evenly spaced, in order of request."""

    def __init__(self, per_minute: float) -> None:
        self._gap = 60.0 / per_minute
        self._next = 0.0

    async def wait(self) -> None:
        """Wait for the next free turn."""
        now = time.monotonic()
        starts_at = max(now, self._next)
        self._next = starts_at + self._gap
        if starts_at > now:
            await asyncio.sleep(starts_at - now)
