"""The private parts of Faust that a worker needs, under public names: for faust-streaming 0.15.3.

Faust has no public hooks for what is fetched, delivered and committed. The classes here give its private ones
a name that :mod:`streams.transport` and :mod:`streams.consumer_thread` override; without an override they do
what Faust does. faust-streaming is pinned to that release, and ``homeroom doctor`` says where another is
installed. To move to another, read these names in its ``transport/consumer.py``,
``transport/drivers/aiokafka.py`` and ``app/base.py``.
"""

from collections.abc import Mapping, MutableMapping
from typing import Any, cast

import faust
from aiokafka import AIOKafkaConsumer
from faust.transport.drivers import aiokafka as driver
from faust.types import TP, ConsumerMessage, Message
from mode.utils.futures import notify


class HookedConsumer(driver.Consumer):
    """Faust's consumer, its private methods under public names."""

    async def fetch(self, partitions: set[TP] | None, timeout: float) -> Mapping[TP, list[Any]]:  # noqa: ASYNC109
        """Return fetched records by partition. partitions: those that may be fetched, None for all."""
        return await super()._getmany(partitions, timeout)

    def message_of(self, tp: TP, record: Any) -> ConsumerMessage:
        """Return the Faust message of a fetched record."""
        return super()._to_message(tp, record)

    async def add_gap(self, tp: TP, offset_from: int, offset_to: int) -> None:
        """Track offsets that were never delivered as acked."""
        await super()._add_gap(tp, offset_from, offset_to)

    def committable(self, tp: TP) -> int | None:
        """Return the offset to commit; None where it is what it was."""
        return super()._new_offset(tp)

    def make_thread(self) -> "HookedThread":
        """Return the thread that owns the client."""
        return HookedThread(self, loop=self.loop, beacon=self.beacon)

    async def commit_offsets(self, offsets: Mapping[TP, int]) -> None:
        """Commit offsets, whatever was acked."""
        await self._commit(offsets)

    def forget(self, message: Message) -> None:
        """Let nobody wait for a message's ack any more."""
        message.acked = True
        self._unacked_messages.discard(message)
        notify(self._waiting_for_ack)

    @property
    def thread(self) -> "HookedThread":
        """The thread that owns the client."""
        return cast(HookedThread, self._thread)

    @property
    def acked_offsets(self) -> MutableMapping[TP, list[int]]:
        """Acked offsets that are not committed, ascending."""
        acked: MutableMapping[TP, list[int]] = self._acked
        return acked

    @property
    def acked_index(self) -> MutableMapping[TP, set[int]]:
        """The same as sets."""
        index: MutableMapping[TP, set[int]] = self._acked_index
        return index

    def read_offset(self, tp: TP) -> int:
        """The offset below which records are dropped, 0 for none."""
        return self._read_offset[tp] or 0

    async def _getmany(self, active_partitions: set[TP] | None, timeout: float) -> Mapping[TP, list[Any]]:  # noqa: ASYNC109
        return await self.fetch(active_partitions, timeout)

    def _to_message(self, tp: TP, record: Any) -> ConsumerMessage:
        return self.message_of(tp, record)

    async def _add_gap(self, tp: TP, offset_from: int, offset_to: int) -> None:
        await self.add_gap(tp, offset_from, offset_to)

    def _new_offset(self, tp: TP) -> int | None:
        return self.committable(tp)

    def _new_consumer_thread(self) -> "HookedThread":
        return self.make_thread()


class HookedThread(driver.AIOKafkaConsumerThread):
    """Faust's consumer thread, its private methods under public names."""

    @property
    def client(self) -> AIOKafkaConsumer:
        """aiokafka's consumer, which only this thread may use.

        Raises:
            faust.exceptions.ConsumerNotStarted: there is none yet.
        """
        return self._ensure_consumer()

    def make_client(self, transport: driver.Transport) -> AIOKafkaConsumer:
        """Return aiokafka's consumer of a worker."""
        return super()._create_worker_consumer(transport)

    async def read_records(
        self,
        consumer: AIOKafkaConsumer,
        partitions: set[TP],
        timeout: float | None = None,  # noqa: ASYNC109
        max_records: int | None = None,
    ) -> Any:
        """Return records that the client has fetched."""
        return await super()._fetch_records(consumer, partitions, timeout, max_records)

    async def commit_offsets(self, offsets: Mapping[TP, int]) -> bool:
        """Commit offsets; returns whether that succeeded."""
        return await super()._commit(offsets)

    async def _fetch_records(
        self,
        consumer: AIOKafkaConsumer,
        active_partitions: set[TP],
        timeout: float | None = None,  # noqa: ASYNC109
        max_records: int | None = None,
    ) -> Any:
        return await self.read_records(consumer, active_partitions, timeout, max_records)

    async def _commit(self, offsets: Mapping[TP, int]) -> bool:
        return await self.commit_offsets(offsets)

    def _create_worker_consumer(self, transport: driver.Transport) -> AIOKafkaConsumer:
        return self.make_client(transport)


def stop_as_on_sigterm(worker: faust.Worker) -> None:
    """Stop a worker as Faust does on a signal; on its event loop."""
    worker._on_sigterm()


class TablelessApp(faust.App):
    """A Faust app without tables: it starts in any working folder, writable or not."""

    def _create_directories(self) -> None:
        """Do nothing: the folders that Faust makes in the working folder are for tables alone."""
