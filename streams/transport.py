"""Faust's Kafka transport, with one Faust message per fetched record batch on the hot topics.

Faust's cost is per message: two tasks, an event, a queue and an ack for each. Here a whole fetch of one
partition is one message, so agents, assignment, rebalancing, commits and the web remain Faust's, and their
cost is paid once in some thousand records. All other topics are delivered by Faust's own code.

Guarantees, tested against the stock transport and on a real broker (``tests/streams``):

- A partition's records arrive in the order of their offsets, none left out.
- The committed offset is the end of the longest run of acked batches. A batch that was read and not acked
  is delivered again after a crash or a rebalance, whatever else was acked around it.
- An ack of a batch that was delivered before the last rebalance has no effect: its records have been
  redelivered, here or elsewhere.
- Redelivered batches may be split differently. Only offsets identify a record.
- ``start_at`` sets positions other than the group's committed offsets. From there on a partition's batches
  are
  continuous: one that is not, since the log's start was deleted or the topic created again, is not delivered,
  and the consumer rejoins the group, so that the partition is restored and its log examined again. A gap
  within the log is no break: transactions leave markers between their records.

This is not the place of the partitions' state or of decoding: records pass as the bytes they are, without
key or value too. What it overrides of Faust is private there (:mod:`streams.faust_internals`).
"""

import asyncio
import logging
import time
from collections import defaultdict, deque
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Any, Protocol, cast

import faust
from aiokafka.errors import IllegalStateError
from faust.exceptions import ConsumerNotStarted
from faust.transport.drivers import aiokafka as driver
from faust.types import TP, AppT, CodecArg, ConsumerMessage, Message

from engine.batch.records import RecordBatch
from streams.consumer_thread import RecordBatchThread
from streams.faust_internals import HookedConsumer

log = logging.getLogger(__name__)

HELD_POLL_S = 0.05
"""Seconds until a partition that was held back is checked again. Twenty checks a second cost nothing."""

FETCH_MAX_WAIT_MS = 20
"""How long the broker may keep an empty fetch open.

aiokafka has one fetch in flight per broker. While that one waits for idle partitions, a partition that was
held back, or has become fetchable, cannot be fetched: Faust's 1,500 ms would be the pause of every day at the
barrier. At 20 ms an idle worker sends 50 requests a second, which costs next to nothing.
"""

QUEUED_BATCHES = 64
"""Batches in an agent's queue before Faust itself stops fetching, if ``may_fetch`` does not before."""

_NO_PARTITION = frozenset({TP("", -1)})
"""Fetches nothing. (An empty set would make aiokafka fetch all partitions.)"""


class Record(Protocol):
    """What a batch needs of a record: aiokafka's own has it, before and after it becomes a ConsumerRecord."""

    offset: int
    key: bytes | None
    value: bytes | None
    timestamp: int
    timestamp_type: int | None


CREATE_TIME = 0
"""Kafka's number for a timestamp that its producer set."""


def batch_of(tp: TP, records: Sequence[Record]) -> RecordBatch:
    """The batch of a partition's records, of which there is at least one."""
    return RecordBatch(
        topic=tp.topic,
        partition=tp.partition,
        offsets=[record.offset for record in records],
        keys=[record.key for record in records],
        values=[record.value for record in records],
        timestamps=[record.timestamp for record in records],
        read_at=int(time.time()) if any(record.timestamp_type == CREATE_TIME for record in records) else None,
    )


MayFetch = Callable[[TP], bool]
"""Whether a partition may be fetched now. Called on the event loop before every fetch."""


def always(_tp: TP) -> bool:
    return True


class RecordBatchConsumer(HookedConsumer):
    """Hands the batch topics' records on in batches, and keeps account of which batches were acked.

    Faust tracks offsets: reading a batch whose predecessor ended 4,000 offsets before, it records 4,000
    offsets as a gap, the batch's own last one among them, and treats every gap below an acked offset as
    acked. With two batches in flight, an ack of the second would commit the first as well. So batches are
    tracked here by their last offsets, in the order of delivery.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._delivered: defaultdict[TP, deque[tuple[int, float]]] = defaultdict(deque)
        """Last offset and moment of each batch that is not committed."""
        self.starts: dict[TP, int] = {}
        """Start positions of the current assignment's partitions, in place of their committed offsets."""
        self.topic_ids: dict[str, str] = {}
        """The topics' ids on the broker, as far as they are known; committed with each offset."""
        self._next: dict[TP, int] = {}
        """The offset after the last delivered batch, or the start position. A new dict after each seek."""
        self._seeking = asyncio.Lock()

    @property
    def _options(self) -> "RecordBatchTransport":
        return cast(RecordBatchTransport, self.transport)

    def _in_batches(self, tp: TP) -> bool:
        return tp.topic in self._options.batch_topics

    def make_thread(self) -> RecordBatchThread:
        """Return Faust's consumer thread, as batches need it."""
        return RecordBatchThread(self, loop=self.loop, beacon=self.beacon)

    # Fetching

    async def fetch(self, partitions: set[TP] | None, timeout: float) -> Mapping[TP, list[Any]]:  # noqa: ASYNC109
        """Return records by partition, those of the batch topics as one batch each."""
        if partitions is None:
            return await super().fetch(partitions, timeout)
        fetchable = {tp for tp in partitions if self._may_fetch(tp)}
        if len(fetchable) < len(partitions):
            timeout = min(timeout, HELD_POLL_S)
        positions = self._next
        # Also with nothing to fetch: the call tells aiokafka that the consumer is alive.
        fetched = await super().fetch(fetchable or set(_NO_PARTITION), timeout)
        if not self._overtaken(positions):
            fetched = await self._continuous(fetched)
        if fetched and self._overtaken(positions):
            # Delivered, they would count for the new assignment, before its first batch. It is not known
            # whether they were fetched before the seek or after it, so the seek is repeated.
            await self.perform_seek()
            return {}
        return {
            tp: [batch_of(tp, records)] if self._in_batches(tp) else records
            for tp, records in fetched.items()
        }

    def _overtaken(self, positions: dict[TP, int]) -> bool:
        """Whether partitions were assigned, or positions sought, since these were the positions.

        Faust resumes the flow before an assignment's partitions are restored, so a fetch in flight may end in
        the next generation.
        """
        return self._next is not positions

    async def _continuous(self, fetched: Mapping[TP, list[Any]]) -> Mapping[TP, list[Any]]:
        """The fetched records, without those of partitions whose records do not follow the position."""
        discontinuous = [
            tp
            for tp, records in fetched.items()
            if records and self._in_batches(tp) and self._next.get(tp, records[0].offset) != records[0].offset
        ]
        if discontinuous:
            positions = self._next
            start_offsets = await self.earliest_offsets(*discontinuous)
            if self._overtaken(positions):
                return fetched
            broken = {
                tp for tp in discontinuous if not start_offsets[tp] <= self._next[tp] < fetched[tp][0].offset
            }
            fetched = {tp: records for tp, records in fetched.items() if tp not in broken}
            if broken:
                await self._rejoin_after(broken)
        for tp, records in fetched.items():
            if records and self._in_batches(tp):
                self._next[tp] = records[-1].offset + 1
        return fetched

    async def _rejoin_after(self, broken: set[TP]) -> None:
        for tp in sorted(broken):
            log.warning(
                "%s, partition %d: the log no longer holds offset %d; it is looked at again",
                *(tp.topic, tp.partition, self._next[tp]),
            )
        await self.rejoin()

    async def rejoin(self) -> None:
        """Join the group anew: all partitions are given back, and handed out again."""
        await cast(RecordBatchThread, self.thread).rejoin()

    def _may_fetch(self, tp: TP) -> bool:
        return not self._in_batches(tp) or self._options.may_fetch(tp)

    def message_of(self, tp: TP, record: Any) -> ConsumerMessage:
        """Return the Faust message of a record or a batch."""
        if not isinstance(record, RecordBatch):
            return super().message_of(tp, record)
        # The consumer drops what lies before its read offset; what is dropped is never acked.
        if record.last_offset >= self.read_offset(tp):
            self._delivered[tp].append((record.last_offset, time.monotonic()))
        return ConsumerMessage(
            topic=record.topic,
            partition=record.partition,
            offset=record.last_offset,
            timestamp=record.timestamps[-1] / 1000.0,
            timestamp_type=0,
            headers=None,
            key=None,
            value=cast(Any, record),
            checksum=None,
            tp=tp,
            generation_id=self.app.consumer_generation_id,
        )

    # Where to read from

    async def start_at(self, positions: Mapping[TP, int], topic_ids: Mapping[str, str]) -> None:
        """Set the start positions of partitions until the next assignment. Before any of them may be fetched.

        topic_ids: the topics' ids on the broker, by name.
        """
        self.starts, self.topic_ids = dict(positions), dict(topic_ids)
        await self.perform_seek()

    async def commit_starts(self, committed: Mapping[TP, int]) -> None:
        """Let others see where partitions were started that stand elsewhere by what is ``committed``."""
        off = {tp: offset for tp, offset in self.starts.items() if committed.get(tp, 0) != offset}
        if off:
            await self.commit_offsets(off)

    async def perform_seek(self) -> None:
        """Seek, one call at a time: Faust seeks after an assignment, and ``start_at`` after its restore."""
        async with self._seeking:
            await super().perform_seek()
            self._next = dict(self.starts)

    def end_offset(self, tp: TP) -> int | None:
        """The partition's high watermark as of the newest fetch; None where it is not assigned."""
        try:
            end: int | None = super().highwater(tp)
        except (IllegalStateError, ConsumerNotStarted):
            return None
        return end

    def highwater(self, tp: TP) -> int:
        """The high watermark; Faust reads it after a fetch, when the partition may have been revoked."""
        return self.end_offset(tp) or 0

    def close(self) -> None:
        """Do nothing: Faust calls this when partitions are assigned while it stops, in another thread than
        the client's own. ``stop`` leaves the group in any case.
        """

    # Acks and commits

    def ack(self, message: Message) -> bool:
        if self._in_batches(message.tp) and message.generation_id != self.app.consumer_generation_id:
            self.forget(message)
            return False
        return super().ack(message)

    async def add_gap(self, tp: TP, offset_from: int, offset_to: int) -> None:
        """Track a gap, where offsets and not batches are tracked."""
        if not self._in_batches(tp):
            await super().add_gap(tp, offset_from, offset_to)

    def committable(self, tp: TP) -> int | None:
        """The offset after the longest run of acked batches, None where no batch has joined the run."""
        if not self._in_batches(tp):
            return super().committable(tp)
        delivered, acked = self._delivered[tp], self.acked_index[tp]
        committable = None
        while delivered and delivered[0][0] in acked:
            last, _ = delivered.popleft()
            acked.discard(last)
            committable = last + 1
        self.acked_offsets[tp] = sorted(acked)
        return committable

    def uncommitted_s(self, tp: TP) -> float:
        """Seconds that a partition's oldest delivered batch has waited for its commit; 0 if there is none.

        Thread-safe.
        """
        delivered = self._delivered.get(tp)  # not by []: that would add an entry
        try:
            return time.monotonic() - delivered[0][1] if delivered else 0.0
        except IndexError:  # committed meanwhile
            return 0.0

    # Rebalancing

    async def on_partitions_revoked(self, revoked: set[TP]) -> None:
        """Commit first: Faust drops the acks before it signals the revocation.

        Handlers of ``app.on_partitions_revoked`` may still ack batches, and ``app.consumer.commit()`` them.
        On a graceful stop the same is true of ``app.on_before_shutdown``; Faust commits after it.
        """
        if revoked:
            await self.commit()
        await super().on_partitions_revoked(revoked)

    async def on_partitions_assigned(self, assigned: set[TP], generation_id: int = 0) -> None:
        """Reset the tracking: everything that is not committed will be redelivered."""
        self.starts, self._next = {}, {}
        for account in (self._delivered, self.acked_offsets, self.acked_index):
            for tp in [tp for tp in account if self._in_batches(tp)]:
                del account[tp]
        await super().on_partitions_assigned(assigned, generation_id)


class RecordBatchTransport(driver.Transport):
    """See the module. ``may_fetch`` may be replaced at any time.

    ``may_fetch(tp)`` is called before every fetch, for the batch topics only. While it is false, the
    partition's records stay on the broker (one fetch of them in memory); the other partitions are fetched,
    the group membership stays alive, and a change is noticed within ``HELD_POLL_S``. One batch in flight at
    the change may still be delivered.
    """

    Consumer = RecordBatchConsumer

    def __init__(
        self,
        app: faust.App,
        batch_topics: Collection[str],
        may_fetch: MayFetch = always,
        fetch_wait_ms: int = FETCH_MAX_WAIT_MS,
        urgent_topics: Collection[str] = (),
        **kwargs: Any,
    ) -> None:
        super().__init__(app.conf.broker_consumer, app, **kwargs)
        self.batch_topics = frozenset(batch_topics)
        self.fetch_wait_ms = fetch_wait_ms
        self.urgent_topics = frozenset(urgent_topics)
        self.may_fetch = may_fetch


def deliver_in_batches(
    app: faust.App,
    topics: Iterable[str],
    may_fetch: MayFetch = always,
    fetch_wait_ms: int = FETCH_MAX_WAIT_MS,
    urgent: Iterable[str] = (),
) -> RecordBatchTransport:
    """Set the app's transport to record batches for these topics, before the app starts.

    urgent: those of the topics whose records are delivered before all others.
    """
    transport = RecordBatchTransport(app, frozenset(topics), may_fetch, fetch_wait_ms, frozenset(urgent))
    app.transport = transport
    return transport


class RecordBatchSchema(faust.Schema[Any, RecordBatch]):
    """Passes a ``RecordBatch`` through unchanged: Faust decodes nothing."""

    def loads_value(
        self,
        app: AppT,  # noqa: ARG002
        message: Message,
        *,
        loads: Callable[..., Any] | None = None,  # noqa: ARG002
        serializer: CodecArg | None = None,  # noqa: ARG002
    ) -> Any:
        return message.value


def batch_topic(app: faust.App, name: str, partitions: int) -> faust.TopicT:
    """The Faust topic whose events have a ``RecordBatch`` each; ``deliver_in_batches`` must name it too.

    The agent iterates ``stream.noack().events()`` and acks each event once its effects are durable, with
    ``await stream.ack(event)``: Faust's automatic ack would come in a ``finally``, exception or not.
    """
    return app.topic(name, schema=RecordBatchSchema(), partitions=partitions, maxsize=QUEUED_BATCHES)
