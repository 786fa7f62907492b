"""Tells open pages that the store has something new. One look every two seconds, whoever listens."""

import asyncio
import contextlib
import logging
from collections import Counter
from collections.abc import AsyncGenerator

from console.readers import Readers
from sinks.errors import StoreError

log = logging.getLogger(__name__)

LOOK_S = 2.0
KEEP_ALIVE_S = 15.0
"""Proxies close what is silent for long."""

STATE = """
SELECT toString((SELECT max(day) FROM engagement_daily)) || '/' ||
       toString((SELECT count() FROM risk_changes)) || '/' ||
       toString((SELECT count() FROM nudge_ledger)) || '/' ||
       toString((SELECT count() FROM learner_facts))
"""
"""Counts come from the tables' metadata; repeats may count twice for a while, which only wakes a page."""


class Live:
    """Looks at the store while anybody listens, and not otherwise. Of one event loop."""

    def __init__(self, readers: Readers, look_s: float = LOOK_S) -> None:
        self._readers = readers
        self._look_s = look_s
        self._state = ""
        self._changed = asyncio.Condition()
        self._listeners: Counter[str] = Counter()
        self._looking: asyncio.Task[None] | None = None
        self._leaving = False

    def listens(self, who: str) -> int:
        """How many pages of somebody listen."""
        return self._listeners[who]

    async def changes(self, who: str = "") -> AsyncGenerator[str]:
        """The state at every change; empty now and then, to keep the line open."""
        self._listeners[who] += 1
        if self._looking is None:  # nobody has looked for a while
            self._state = await self._ask() or self._state
        if self._looking is None:
            self._looking = asyncio.create_task(self._look(), name="live")
        seen = self._state
        try:
            yield ""
            while not self._leaving:
                async with self._changed:
                    with contextlib.suppress(TimeoutError):
                        await asyncio.wait_for(self._changed.wait(), KEEP_ALIVE_S)
                news, seen = (self._state if self._state != seen else ""), self._state
                yield news
        finally:
            self._listeners -= Counter([who])
            if not self._listeners:
                self.stop()

    async def leave(self) -> None:
        """Let every open page go: the server is about to stop, and would wait for them."""
        self._leaving = True
        async with self._changed:
            self._changed.notify_all()

    def stop(self) -> None:
        """Look no more."""
        looking, self._looking = self._looking, None
        if looking is not None:
            looking.cancel()

    async def _look(self) -> None:
        while True:
            await asyncio.sleep(self._look_s)
            state = await self._ask()
            if state and state != self._state:
                self._state = state
                async with self._changed:
                    self._changed.notify_all()

    async def _ask(self) -> str:
        try:
            rows = (await asyncio.to_thread(self._readers.query, STATE)).rows
        except StoreError as error:
            log.warning("live updates: %s", error)
            return ""
        return str(rows[0][0])
