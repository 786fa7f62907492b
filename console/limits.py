"""Rate limits: a token bucket for each key, and for each address that shows none or a wrong one."""

import math
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

MAX_BUCKETS = 100_000


@dataclass(frozen=True, slots=True)
class Limit:
    """``rate`` requests a second in the long run, ``burst`` at once."""

    rate: float
    burst: int


class Buckets:
    """Who has how many requests left. Thread-safe."""

    def __init__(self, limit: Limit, clock: Callable[[], float] = time.monotonic) -> None:
        self._limit = limit
        self._clock = clock
        self._lock = threading.Lock()
        self._left: dict[str, tuple[float, float]] = {}

    def take(self, who: str) -> int:
        """Take one; 0 if there was one, else after how many whole seconds to come again."""
        now = self._clock()
        with self._lock:
            left, at = self._left.get(who, (float(self._limit.burst), now))
            left = min(self._limit.burst, left + (now - at) * self._limit.rate)
            if left < 1:
                self._left[who] = left, now
                return max(1, math.ceil((1 - left) / self._limit.rate))
            if len(self._left) >= MAX_BUCKETS:
                self._left.clear()  # everybody starts afresh: forgetting beats running out of memory
            self._left[who] = left - 1, now
            return 0
