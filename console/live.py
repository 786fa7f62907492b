"""Notifies open pages of changes in the store. One query every two seconds for all of them."""

import asyncio
import contextlib
import logging
from collections import Counter
from collections.abc import AsyncGenerator

from console.readers import Readers
from sinks.errors import StoreError

log = logging.getLogger(__name__)

CHECK_EVERY_S = 2.0
KEEP_ALIVE_S = 15.0
"""Proxies close a connection without traffic."""

STATE_QUERY = """
SELECT toString((SELECT max(day) FROM engagement_daily)) || '/' ||
       toString((SELECT count() FROM risk_changes)) || '/' ||
       toString((SELECT count() FROM nudge_ledger)) || '/' ||
       toString((SELECT count() FROM learner_facts))
"""
"""Counts come from the tables' metadata; repeats may count twice for a while, which only wakes a page."""


class LiveUpdates:
    """Polls the store while there are listeners. Used in one event loop."""

    def __init__(self, readers: Readers, poll_s: float = CHECK_EVERY_S) -> None:
        self._readers = readers
        self._poll_s = poll_s
        self._state = ""
        self._changed = asyncio.Condition()
        self._listeners: Counter[str] = Counter()
        self._poller: asyncio.Task[None] | None = None
        self._stopping = False

    def listener_count(self, key_id: str) -> int:
        """The number of listening pages of a key."""
        return self._listeners[key_id]

    async def changes(self, key_id: str = "") -> AsyncGenerator[str]:
        """Yields the state at every change, and an empty string now and then to keep the connection open."""
        self._listeners[key_id] += 1
        if self._poller is None:  # not polled for a while
            self._state = await self._query_state() or self._state
        if self._poller is None:
            self._poller = asyncio.create_task(self._poll(), name="live")
        last_state = self._state
        try:
            yield ""
            while not self._stopping:
                async with self._changed:
                    with contextlib.suppress(TimeoutError):
                        await asyncio.wait_for(self._changed.wait(), KEEP_ALIVE_S)
                update, last_state = (self._state if self._state != last_state else ""), self._state
                yield update
        finally:
            self._listeners -= Counter([key_id])
            if not self._listeners:
                self.stop()

    async def end_streams(self) -> None:
        """End every stream: the server is about to stop, and would wait for them."""
        self._stopping = True
        async with self._changed:
            self._changed.notify_all()

    def stop(self) -> None:
        """Stop polling."""
        poller, self._poller = self._poller, None
        if poller is not None:
            poller.cancel()

    async def _poll(self) -> None:
        while True:
            await asyncio.sleep(self._poll_s)
            state = await self._query_state()
            if state and state != self._state:
                self._state = state
                async with self._changed:
                    self._changed.notify_all()

    async def _query_state(self) -> str:
        try:
            rows = (await asyncio.to_thread(self._readers.query, STATE_QUERY)).rows
        except StoreError as error:
            log.warning("live updates: %s", error)
            return ""
        return str(rows[0][0])
