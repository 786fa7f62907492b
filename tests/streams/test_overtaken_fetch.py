"""A fetch that ends after partitions were handed out anew. No broker: its answers are given by hand, in the
order that on a broker comes about only now and then.
"""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import faust
import pytest
from faust.types import TP

from streams.faust_settings import faust_settings
from streams.transport import RecordBatchConsumer, deliver_in_batches

EVENTS = TP("events", 0)


@dataclass(frozen=True, slots=True)
class Fetched:
    """A record as aiokafka's fetch gives it."""

    offset: int
    key: bytes | None = None
    value: bytes | None = b""
    timestamp: int = 0
    timestamp_type: int | None = 0


async def nothing(*_: Any) -> None:
    """Called by the consumer when partitions come and go."""


async def fetch(monkeypatch: pytest.MonkeyPatch, *, handed_out: bool) -> tuple[Mapping[TP, Any], int]:
    """What one fetch hands on, and how often positions were sought. handed_out: while it is under way."""
    app = faust.App("overtaken", **faust_settings("127.0.0.1:1"), web_enabled=False)
    transport = deliver_in_batches(app, ["events"])
    consumer = RecordBatchConsumer(transport, nothing, nothing, nothing)
    sought = 0

    async def getmany(*_: Any) -> dict[TP, list[Fetched]]:
        if handed_out:
            await consumer.on_partitions_assigned({EVENTS}, 2)
        return {EVENTS: [Fetched(2020), Fetched(2021)]}

    async def seek_to_committed() -> dict[TP, int]:
        nonlocal sought
        sought += 1
        return {EVENTS: 518}

    monkeypatch.setattr(consumer._thread, "getmany", getmany)
    monkeypatch.setattr(consumer._thread, "seek_to_committed", seek_to_committed)
    return await consumer._getmany({EVENTS}, 1.0), sought


def test_a_fetch_of_the_assignment_is_handed_on(monkeypatch: pytest.MonkeyPatch) -> None:
    fetched, sought = asyncio.run(fetch(monkeypatch, handed_out=False))
    assert (fetched[EVENTS][0].offsets, sought) == ([2020, 2021], 0)


def test_a_fetch_that_an_assignment_overtook_is_fetched_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """Handed on, it would be applied before what lies before it, and be accounted twice: never committed."""
    assert asyncio.run(fetch(monkeypatch, handed_out=True)) == ({}, 1)
