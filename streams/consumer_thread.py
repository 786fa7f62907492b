"""Faust's consumer thread, which owns aiokafka's client, with what record batches need of it.

Shorter waits, urgent topics first, seeks that leave nothing out, commits that name their log, and a way to
have the partitions handed out again. What it uses of Faust and aiokafka is private there:
:mod:`streams.faust_internals`, :mod:`streams.aiokafka_internals`.
"""

import contextlib
import logging
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, cast

from aiokafka import AIOKafkaConsumer
from aiokafka.errors import CommitFailedError, IllegalStateError
from aiokafka.structs import OffsetAndMetadata
from faust.transport.drivers import aiokafka as driver
from faust.types import TP

from streams.aiokafka_internals import (
    keep_as_parsed,
    put_first,
    request_rejoin,
    set_fetch_wait,
    set_prefetch_backoff,
)
from streams.faust_internals import HookedThread

if TYPE_CHECKING:
    from streams.transport import RecordBatchConsumer, RecordBatchTransport

log = logging.getLogger(__name__)

LEAVE_S = 10.0
"""Seconds that a stopping consumer may take to leave its group. By default it would wait a minute for a
broker that is down, longer than supervisors wait before they kill."""

PREFETCH_BACKOFF_S = 0.005
"""Seconds that aiokafka holds back the next fetch while an earlier one's records are not all consumed.

Its own 100 ms would slow down the day barrier: while event partitions have records waiting, the partition of
the day reports would be fetched ten times a second.
"""


class RecordBatchThread(HookedThread):
    """Faust's consumer thread with shorter waits, and with a seek that leaves nothing out."""

    shutdown_timeout = LEAVE_S

    async def on_start(self) -> None:
        await super().on_start()
        set_prefetch_backoff(self.client, PREFETCH_BACKOFF_S)

    async def read_records(
        self,
        consumer: AIOKafkaConsumer,
        partitions: set[TP],
        timeout: float | None = None,  # noqa: ASYNC109
        max_records: int | None = None,
    ) -> Any:
        """Return records of urgent topics first: a day report would wait for every batch of events that was
        fetched before it. Those of the batch topics are as they were parsed: a batch needs columns.
        """
        transport = cast("RecordBatchTransport", self.transport)
        put_first(consumer, transport.urgent_topics)
        keep_as_parsed(consumer, transport.batch_topics)
        return await super().read_records(consumer, partitions, timeout, max_records)

    def verify_event_path(self, now: float, tp: TP) -> None:
        """Skip Faust's look at whether events flow where a partition has no position (yet).

        While partitions move, aiokafka asserts that there is one, or has dropped the partition; the error
        would end the worker.
        """
        with contextlib.suppress(AssertionError, AttributeError):
            super().verify_event_path(now, tp)

    async def seek_to_committed(self) -> Mapping[TP, int]:
        """Seek every partition to its committed offset, or to its beginning without one, or to its start.

        Records that were fetched between an assignment and this seek are dropped, to be fetched again.
        aiokafka does not move a partition without a committed offset: its first fetch would be lost.
        """
        committed = dict(await super().seek_to_committed())
        uncommitted = [tp for tp, offset in committed.items() if not offset or offset < 0]
        if uncommitted:
            await self.seek_to_beginning(*uncommitted)
        starts = cast("RecordBatchConsumer", self.consumer).starts
        assigned = {tp: offset for tp, offset in starts.items() if tp in self.assignment()}
        await self.call_thread(self._seek_to, assigned)
        return committed | assigned

    async def _seek_to(self, positions: Mapping[TP, int]) -> None:
        consumer = self.client
        for tp, offset in positions.items():
            consumer.seek(driver.ensure_aiokafka_TP(tp), offset)

    async def commit_offsets(self, offsets: Mapping[TP, int]) -> bool:
        """Commit, with the topic's id beside each offset: a number alone does not say which log it counts.

        Partitions that were revoked meanwhile are no error: their acked records are redelivered elsewhere.
        """
        assignment, ids = self.assignment(), cast("RecordBatchConsumer", self.consumer).topic_ids
        here = {tp: offset for tp, offset in offsets.items() if tp in assignment}
        self.tp_last_committed_at.update(dict.fromkeys(here, time.monotonic()))
        told = {
            driver.ensure_aiokafka_TP(tp): OffsetAndMetadata(offset, ids.get(tp.topic, ""))
            for tp, offset in here.items()
        }
        try:
            await self.client.commit(told)
        except (CommitFailedError, IllegalStateError) as error:
            log.info("offsets were not committed, their partitions have gone: %s", error)
            return False
        except Exception as error:
            log.error("offsets cannot be committed, the worker stops: %s", error)
            await self.crash(error)
            return False
        return True

    async def rejoin(self) -> None:
        """Rejoin the group: all partitions are revoked, and assigned again."""
        await self.call_thread(self._request_rejoin)

    async def _request_rejoin(self) -> None:
        request_rejoin(self.client)

    def make_client(self, transport: driver.Transport) -> AIOKafkaConsumer:
        """Return aiokafka's consumer, which waits for no longer than the transport says."""
        consumer = super().make_client(transport)
        set_fetch_wait(consumer, cast("RecordBatchTransport", transport).fetch_wait_ms)
        return consumer
