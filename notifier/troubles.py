"""Tells in the log what goes wrong: each kind of trouble once at once, then once a minute with how often.

A provider that is away refuses thousands of messages; a line each would bury the log, and no line hides it.
A kind is a channel and words without anything of a message or an address in them.
"""

import asyncio
import logging
from collections import Counter

log = logging.getLogger(__name__)

EVERY_S = 60.0
MOST_KINDS = 100
"""Kinds told apart within a minute; what comes beyond them is told together."""


class Troubles:
    """The troubles of one notifier."""

    def __init__(self, every_s: float = EVERY_S) -> None:
        self._every_s = every_s
        self._more: Counter[tuple[str, str]] = Counter()

    def tell(self, where: str, what: str) -> None:
        """Something has gone wrong: ``where`` is a channel, or a part of the notifier."""
        kind = (where, what)
        if kind not in self._more and len(self._more) >= MOST_KINDS:
            kind = ("elsewhere", "other troubles")
        if kind in self._more:
            self._more[kind] += 1
        else:
            log.warning("%s: %s", *kind)
            self._more[kind] = 0

    def sum_up(self) -> None:
        """Say how often each came again since the last time, and begin anew with those that did not."""
        for (where, what), times in self._more.items():
            if times:
                log.warning("%s: %s; %d times more in %.0f s", where, what, times, self._every_s)
        self._more = Counter({kind: 0 for kind, times in self._more.items() if times})

    async def run(self) -> None:
        """Sum up again and again, and once more at the end."""
        try:
            while True:
                await asyncio.sleep(self._every_s)
                self.sum_up()
        finally:
            self.sum_up()
