"""The private parts of aiokafka that record batches need, all of them here: written for aiokafka 0.14.0.

aiokafka is pinned to that release, and ``homeroom doctor`` says where another is installed. To move to
another, read these names in its ``consumer/consumer.py`` and ``consumer/fetcher.py``.
"""

from collections.abc import Collection
from typing import Any

from aiokafka import AIOKafkaConsumer
from aiokafka.consumer.fetcher import FetchResult


def set_prefetch_backoff(consumer: AIOKafkaConsumer, seconds: float) -> None:
    """Set how long the next fetch is held back while records of an earlier one are not all consumed.

    No setting of aiokafka does.
    """
    consumer._fetcher._prefetch_backoff = seconds


def set_fetch_wait(consumer: AIOKafkaConsumer, milliseconds: int) -> None:
    """Set how long the broker may keep an empty fetch open: Faust passes no such setting on."""
    consumer._fetch_max_wait_ms = milliseconds


def put_first(consumer: AIOKafkaConsumer, topics: Collection[str]) -> None:
    """Let the next read return fetched records of some topics before all others.

    aiokafka returns records in the order of their fetches.
    """
    waiting = consumer._fetcher._records
    for tp in [tp for tp in waiting if tp.topic in topics]:
        waiting.move_to_end(tp, last=False)


def keep_as_parsed(consumer: AIOKafkaConsumer, topics: Collection[str]) -> None:
    """Let fetched records of some topics be handed on as they were parsed.

    aiokafka makes a ConsumerRecord of each, which takes twice the time of parsing it.
    """
    for tp, fetched in consumer._fetcher._records.items():
        if tp.topic in topics and isinstance(fetched, FetchResult) and fetched._partition_records is not None:
            fetched._partition_records._consumer_record = _as_it_is


def request_rejoin(consumer: AIOKafkaConsumer) -> None:
    """Leave and join the group again at the next opportunity."""
    consumer._coordinator.request_rejoin()


def _as_it_is(_tp: Any, record: Any) -> Any:
    return record
