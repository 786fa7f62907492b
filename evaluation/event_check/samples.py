"""Bounded memory for what would grow with a file: a sample of keys, and a histogram of minutes."""

from collections.abc import Callable
from typing import Generic, TypeVar
from zlib import crc32

import numpy as np

from features.ring import Ints

Value = TypeVar("Value")


class KeySample(Generic[Value]):
    """A value for each of a bounded number of keys: for all of them while they are few, else for a share.

    The hash of a key decides whether it is in the sample (adaptive sampling; Flajolet, Computing 43, 1990):
    everything about a key is seen or nothing, and every run over the same file has the same sample.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._mask = 0
        self.values: dict[str, Value] = {}

    def get(self, key: str, make: Callable[[], Value]) -> Value | None:
        """The value of a key, made if the key is new; None if it is not in the sample."""
        value = self.values.get(key)
        if value is not None:
            return value
        if not self._holds(key):
            return None
        self.values[key] = make()
        while len(self.values) > self._limit:
            self._mask = 2 * self._mask + 1
            self.values = {key: value for key, value in self.values.items() if self._holds(key)}
        return self.values.get(key)

    def _holds(self, key: str) -> bool:
        return not self._mask or not crc32(key.encode(errors="surrogatepass")) & self._mask

    @property
    def one_in(self) -> int:
        """One key in so many is in the sample; 1 while all of them are."""
        return self._mask + 1

    @property
    def keys(self) -> int:
        """The number of keys: exact while all are in the sample, else an estimate."""
        return len(self.values) * self.one_in


class MinuteHistogram:
    """How many values fall into each minute of [low, high]; those beyond are counted at the ends."""

    def __init__(self, low: int, high: int) -> None:
        self._low = low
        self._counts = np.zeros(high - low + 1, np.int64)

    def add(self, seconds: Ints) -> None:
        """Count values in seconds, each rounded down to its minute."""
        cells = np.clip(seconds // 60 - self._low, 0, len(self._counts) - 1)
        self._counts += np.bincount(cells, minlength=len(self._counts))

    @property
    def total(self) -> int:
        return int(self._counts.sum())

    def above(self, minutes: int) -> int:
        """The number of values of at least so many minutes."""
        return int(self._counts[max(minutes - self._low, 0) :].sum())

    def quantile(self, share: float, above: int | None = None) -> int | None:
        """The value in minutes below or at which a share of the values lies; None without any.

        above: of the values of at least so many minutes only.
        """
        first = 0 if above is None else max(above - self._low, 0)
        sums = np.cumsum(self._counts[first:])
        if not len(sums) or not sums[-1]:
            return None
        return int(np.searchsorted(sums, max(share * sums[-1], 1))) + first + self._low
