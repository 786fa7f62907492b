"""A Faust worker that writes down what it is given: ``python -m tests.streams.recorder OPTIONS-AS-JSON``.

Each record becomes one line in the file ``out``: ``["got", topic, partition, offset, digest]``; each ack one
line ``["ack", topic, partition, first, last]``, written before the ack; each assignment
``["assigned", [[topic, partition], ...]]``.
"""

import asyncio
import hashlib
import json
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import faust
from faust.types import TP

from engine.batch.records import RecordBatch
from streams.faust_settings import faust_settings
from streams.transport import RecordBatchConsumer, batch_topic, deliver_in_batches


@dataclass(frozen=True, slots=True)
class Options:
    """What to record, and how to behave.

    ``stock`` takes Faust's own transport. ``unacked`` holds ``[partition, from offset]`` pairs: batches
    from there on are not acked; ``skip_first`` the partitions of which the first batch alone is not.
    ``late`` acks only when the partitions are revoked or the worker stops.
    While the file ``hold`` exists, the partitions that it lists are not fetched. ``fetched_early`` loses a
    fetch between an assignment and the seek that follows it, as Faust does when the two race.
    """

    broker: str
    group: str
    topics: list[str]
    out: str
    datadir: str
    partitions: int = 4
    stock: bool = False
    unacked: list[tuple[int, int]] = field(default_factory=list)
    skip_first: list[int] = field(default_factory=list)
    late: bool = False
    hold: str = ""
    fetched_early: bool = False
    pause_s: float = 0.0
    settings: dict[str, Any] = field(default_factory=dict)


def digest(key: bytes | None, value: bytes | None) -> str:
    return hashlib.md5(repr((key, value)).encode()).hexdigest()


def create_app(options: Options) -> faust.App:
    settings = faust_settings(options.broker, batch_records=200, commit_interval_s=0.2, session_timeout_s=6.0)
    app = faust.App(
        options.group, datadir=options.datadir, web_enabled=False, **(settings | options.settings)
    )
    out = Path(options.out).open("a", buffering=1, encoding="utf-8")  # noqa: SIM115

    def write(*line: Any) -> None:
        out.write(json.dumps(line) + "\n")

    async def on_assigned(_app: Any, assigned: set[TP], **_: Any) -> None:
        write("assigned", sorted(assigned))

    app.on_partitions_assigned.connect(cast(Any, on_assigned), weak=False)

    if options.stock:
        record_stock(app, options, write)
    else:
        record_batches(app, options, write)
    return app


def record_stock(app: faust.App, options: Options, write: Any) -> None:
    topic = app.topic(
        *options.topics, key_type=bytes, value_type=bytes, key_serializer="raw", value_serializer="raw"
    )

    @app.agent(topic)
    async def record(stream: Any) -> None:
        async for event in stream.noack().events():
            message = event.message
            write("got", message.topic, message.partition, message.offset, digest(event.key, event.value))
            write("ack", message.topic, message.partition, message.offset, message.offset)
            await stream.ack(event)


class FetchesEarly(RecordBatchConsumer):
    """Takes records before the seek to where the group stands, and has no use for them."""

    async def perform_seek(self) -> None:
        for _ in range(20):
            if await self._thread.getmany(set(self.assignment()), 0.5):
                break
        await super().perform_seek()


def record_batches(app: faust.App, options: Options, write: Any) -> None:
    def may_fetch(tp: TP) -> bool:
        hold = Path(options.hold) if options.hold else None
        return hold is None or not hold.exists() or tp.partition not in json.loads(hold.read_text())

    deliver_in_batches(app, options.topics, may_fetch)
    if options.fetched_early:
        cast(Any, app.transport).Consumer = FetchesEarly
    unacked = dict(options.unacked)
    skip_first = set(options.skip_first)
    late: list[tuple[Any, Any]] = []

    async def ack(stream: Any, event: Any) -> None:
        batch = event.value
        write("ack", batch.topic, batch.partition, batch.first_offset, batch.last_offset)
        await stream.ack(event)

    async def ack_late(*_: Any, **__: Any) -> None:
        while late:
            await ack(*late.pop())
        await app.consumer.commit()

    app.on_partitions_revoked.connect(cast(Any, ack_late), weak=False)
    app.on_before_shutdown.connect(cast(Any, ack_late), weak=False)

    async def record(stream: Any) -> None:
        async for event in stream.noack().events():
            batch: RecordBatch = event.value
            for key, value, offset in zip(batch.keys, batch.values, batch.offsets, strict=True):
                write("got", batch.topic, batch.partition, offset, digest(key, value))
            await asyncio.sleep(options.pause_s)
            if batch.partition in skip_first:
                skip_first.remove(batch.partition)
            elif options.late:
                late.append((stream, event))
            elif batch.last_offset < unacked.get(batch.partition, sys.maxsize):
                await ack(stream, event)

    for topic in options.topics:
        app.agent(batch_topic(app, topic, options.partitions), name=f"record-{topic}")(record)


if __name__ == "__main__":
    faust.Worker(create_app(Options(**json.loads(sys.argv[1]))), loglevel="info").execute_from_commandline()
