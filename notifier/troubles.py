"""Logs what goes wrong: each kind of trouble at once, then once a minute with the number of repeats.

A provider that is down refuses thousands of messages; a line each would flood the log, and no line would hide
it. A kind is a channel and a text without any part of a message or an address.
"""

import asyncio
import logging
from collections import Counter

log = logging.getLogger(__name__)

EVERY_S = 60.0
MAX_KINDS = 100
"""Kinds that are counted separately within a minute; all further ones are counted together."""


class TroubleLog:
    """Counts and logs the troubles of one notifier."""

    def __init__(self, every_s: float = EVERY_S) -> None:
        self._every_s = every_s
        self._repeats: Counter[tuple[str, str]] = Counter()

    def report(self, source: str, message: str) -> None:
        """Log that something went wrong; ``source`` is a channel, or a part of the notifier."""
        kind = (source, message)
        if kind not in self._repeats and len(self._repeats) >= MAX_KINDS:
            kind = ("elsewhere", "other troubles")
        if kind in self._repeats:
            self._repeats[kind] += 1
        else:
            log.warning("%s: %s", *kind)
            self._repeats[kind] = 0

    def report_repeats(self) -> None:
        """Log how often each kind was repeated since the last call; forget kinds without repeats."""
        for (source, message), times in self._repeats.items():
            if times:
                log.warning("%s: %s; %d times more in %.0f s", source, message, times, self._every_s)
        self._repeats = Counter({kind: 0 for kind, times in self._repeats.items() if times})

    async def run(self) -> None:
        """Report repeats periodically, and once more when cancelled."""
        try:
            while True:
                await asyncio.sleep(self._every_s)
                self.report_repeats()
        finally:
            self.report_repeats()
