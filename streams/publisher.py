"""The worker's one producer: messages go out in the background, and a flush says that all have arrived.

Not Faust's producer: that costs a task and a future a message, and the state topic gets ten thousands
at a time. librdkafka batches them in its own thread.
"""

import asyncio
import contextlib
import logging
import threading
import time
from typing import Any

from confluent_kafka import KafkaException, Producer

from engine.pieces import RECORD_BYTES
from schemas.errors import HomeroomError
from streams.logging_setup import BROKERS_WORDS

QUEUE_FULL_WAIT_S = 0.05
POLL_EVERY = 200
"""Messages sent between two looks at what has arrived. Each look lets go of Python's lock: after every one
of ten thousand state rows, the sender would wait for whatever the other threads are at.
"""

BATCH_HEAD = 1024
"""Of a batch of messages: a broker holds the whole of it against a topic's limit."""

FLUSH_S = 60.0
"""How long a command waits for a broker. A worker waits for as long as it takes."""

SAID_EVERY_S = 30.0
LOOK_UP_S = 1.0
SILENT_S = 5.0
"""What a flush may take before the broker counts as silent."""
LAST_FLUSH_S = 5.0


log = logging.getLogger(__name__)


class PublishError(HomeroomError, RuntimeError):
    """The broker did not take a message, or not within the delivery timeout."""


class Publisher:
    """Publishes to any topic. Thread-safe; one for the whole process.

    partitioner: murmur2, as in Java's clients, so that a learner has the same partition whoever publishes.
    """

    def __init__(self, address: str, *, linger_ms: int = 1, patient: bool = False) -> None:
        """patient: for a worker. Its messages wait for a silent broker without end, and keep their order when
        they are sent again: a mark must not arrive before its rows.
        """
        patience = {"message.timeout.ms": 0, "enable.idempotence": True} if patient else {}
        self._producer = Producer(
            {
                "bootstrap.servers": address,
                "acks": "all",
                "linger.ms": linger_ms,
                "partitioner": "murmur2_random",
                "message.max.bytes": 2 << 20,
                "batch.size": RECORD_BYTES - BATCH_HEAD,
                "queue.buffering.max.messages": 500_000,
                "queue.buffering.max.kbytes": 256 * 1024,
                "compression.type": "lz4",
                "log_level": 3,
                **patience,
            },
            logger=BROKERS_WORDS,
        )
        self._failed: list[str] = []
        self._sent = 0
        self._silent_since: float | None = None
        self._closing = threading.Event()

    def send(
        self,
        topic: str,
        value: bytes | None,
        key: bytes | str | None = None,
        partition: int | None = None,
        headers: list[tuple[str, bytes]] | None = None,
    ) -> None:
        """Hand a message over. Blocks only while the queue of the producer is full.

        Raises ``PublishError`` for one that no broker would be asked to take.
        """
        more: dict[str, Any] = {} if partition is None else {"partition": partition}
        if headers:
            more["headers"] = headers
        while True:
            try:
                self._producer.produce(topic, value=value, key=key, on_delivery=self._delivered, **more)
            except BufferError:
                self._producer.poll(QUEUE_FULL_WAIT_S)
            except KafkaException as error:
                size = len(value or b"")
                raise PublishError(f"{topic}: a message of {size:,} bytes: {error.args[0].str()}") from error
            else:
                self._sent += 1
                if self._sent % POLL_EVERY == 0:
                    self._producer.poll(0)
                return

    def _delivered(self, error: Any, message: Any) -> None:
        if error is not None:
            self._failed.append(f"{message.topic()}: {error.str()}")

    def flush_now(self, timeout_s: float = FLUSH_S) -> None:
        """Wait until everything sent has arrived. Raises ``PublishError`` where something has not.

        From then on always: the partitions of a worker share it, and none may take its own message for
        arrived because another one was told first.
        """
        remaining = self._drain(timeout_s)
        if self._failed or remaining:
            first = self._failed[0] if self._failed else f"{remaining} messages still waiting"
            raise PublishError(f"the broker did not take everything: {first}")

    def _drain(self, timeout_s: float) -> int:
        """Messages that have not arrived when the time is over, or a moment after a close."""
        deadline = time.monotonic() + timeout_s
        while True:
            left = deadline - time.monotonic()
            remaining = self._producer.flush(max(min(left, LOOK_UP_S), 0.0))
            if not remaining or left <= LOOK_UP_S or self._closing.is_set():
                return remaining

    async def flush(self) -> None:
        """Wait until everything sent has arrived, however long the broker is silent; and say that it is.

        Raises ``PublishError`` where a message was refused, or the publisher is closed meanwhile.
        """
        loop = asyncio.get_running_loop()
        begun = said = time.monotonic()
        while await loop.run_in_executor(None, self._drain, LOOK_UP_S):
            now = time.monotonic()
            if self._closing.is_set() or self._failed:
                break
            if now - begun >= SILENT_S and self._silent_since is None:
                self._silent_since = begun
            if now - said >= SAID_EVERY_S:
                said = now
                log.warning("the broker has taken nothing for %.0f s, the pipeline waits", now - begun)
        else:
            self._silent_since = None
        if self._failed or self._closing.is_set():
            self.flush_now(0.0)

    def silent_s(self) -> float:
        """For how long the broker has not taken what was sent; 0 where it does. From any thread."""
        since = self._silent_since
        return 0.0 if since is None else time.monotonic() - since

    def close(self) -> None:
        """Send what is left, without complaint: for the way out. Whoever waits in a flush is told too."""
        self._closing.set()
        with contextlib.suppress(KafkaException, PublishError):
            self.flush_now(LAST_FLUSH_S)
