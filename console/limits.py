"""Rate limits: a token bucket for each key, and for each address without a valid one."""

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
    """Token buckets by client. Thread-safe."""

    def __init__(self, limit: Limit, clock: Callable[[], float] = time.monotonic) -> None:
        self._limit = limit
        self._clock = clock
        self._lock = threading.Lock()
        self._tokens: dict[str, tuple[float, float]] = {}

    def acquire(self, client: str) -> int:
        """Take a token; returns 0, or the whole seconds to wait where there is none."""
        now = self._clock()
        with self._lock:
            tokens, updated_at = self._tokens.get(client, (float(self._limit.burst), now))
            tokens = min(self._limit.burst, tokens + (now - updated_at) * self._limit.rate)
            if tokens < 1:
                self._tokens[client] = tokens, now
                return max(1, math.ceil((1 - tokens) / self._limit.rate))
            if len(self._tokens) >= MAX_BUCKETS:
                self._tokens.clear()  # all start again: better than running out of memory
            self._tokens[client] = tokens - 1, now
            return 0
