"""The worker's only producer: messages are sent in the background, and a flush waits for their delivery.

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
from streams.logging_setup import LIBRDKAFKA_LOG

QUEUE_FULL_WAIT_S = 0.05
POLL_EVERY = 200
"""Messages sent between two polls for delivery reports. Each poll releases Python's lock: after every one of
ten thousand state rows, the sender would wait for whatever the other threads do.
"""

BATCH_OVERHEAD_BYTES = 1024
"""Bytes of a batch besides its records: a broker checks the whole of it against a topic's limit."""

FLUSH_S = 60.0
"""How long a command waits for a broker. A worker waits without limit."""

WARN_EVERY_S = 30.0
FLUSH_STEP_S = 1.0
SILENT_S = 5.0
"""Seconds that a flush may take before the broker counts as silent."""
LAST_FLUSH_S = 5.0


log = logging.getLogger(__name__)


class PublishError(HomeroomError, RuntimeError):
    """The broker refused a message, or did not acknowledge it within the delivery timeout."""


class Publisher:
    """Publishes to any topic. Thread-safe; one for the whole process.

    partitioner: murmur2, as in Java's clients, so that a learner has the same partition whoever publishes.
    """

    def __init__(self, address: str, *, linger_ms: int = 1, patient: bool = False) -> None:
        """Connect to the broker.

        Args:
            address: ``host:port``, or several with commas between.
            linger_ms: how long a message waits for others of its batch.
            patient: for a worker: no delivery timeout, and an idempotent producer, which keeps the order of
                messages that are sent again: a mark must not arrive before its rows.
        """
        patience = {"message.timeout.ms": 0, "enable.idempotence": True} if patient else {}
        self._producer = Producer(
            {
                "bootstrap.servers": address,
                "acks": "all",
                "linger.ms": linger_ms,
                "partitioner": "murmur2_random",
                "message.max.bytes": 2 << 20,
                "batch.size": RECORD_BYTES - BATCH_OVERHEAD_BYTES,
                "queue.buffering.max.messages": 500_000,
                "queue.buffering.max.kbytes": 256 * 1024,
                "compression.type": "lz4",
                "log_level": 3,
                **patience,
            },
            logger=LIBRDKAFKA_LOG,
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
        """Enqueue a message. Blocks only while the producer's queue is full.

        Raises:
            PublishError: the client refuses the message, such as one that is too large.
        """
        options: dict[str, Any] = {} if partition is None else {"partition": partition}
        if headers:
            options["headers"] = headers
        while True:
            try:
                self._producer.produce(topic, value=value, key=key, on_delivery=self._delivered, **options)
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
        """Wait until everything sent has been acknowledged.

        Raises:
            PublishError: a message was not. Every later flush raises it again: a worker's partitions share
                the producer, and none may count its own messages as delivered after another's have failed.
        """
        unsent = self._drain(timeout_s)
        if self._failed or unsent:
            first = self._failed[0] if self._failed else f"{unsent} messages still waiting"
            raise PublishError(f"the broker did not take everything: {first}")

    def _drain(self, timeout_s: float) -> int:
        """How many messages are not acknowledged when the time is over, or soon after a close."""
        deadline = time.monotonic() + timeout_s
        while True:
            remaining_s = deadline - time.monotonic()
            unsent = self._producer.flush(max(min(remaining_s, FLUSH_STEP_S), 0.0))
            if not unsent or remaining_s <= FLUSH_STEP_S or self._closing.is_set():
                return unsent

    async def flush(self) -> None:
        """Wait until everything sent has been acknowledged, however long the broker is silent, and log it.

        Raises:
            PublishError: a message was refused, or the publisher is closed meanwhile.
        """
        loop = asyncio.get_running_loop()
        began_s = warned_s = time.monotonic()
        while await loop.run_in_executor(None, self._drain, FLUSH_STEP_S):
            now_s = time.monotonic()
            if self._closing.is_set() or self._failed:
                break
            if now_s - began_s >= SILENT_S and self._silent_since is None:
                self._silent_since = began_s
            if now_s - warned_s >= WARN_EVERY_S:
                warned_s = now_s
                log.warning("the broker has taken nothing for %.0f s, the pipeline waits", now_s - began_s)
        else:
            self._silent_since = None
        if self._failed or self._closing.is_set():
            self.flush_now(0.0)

    def silent_s(self) -> float:
        """Seconds for which the broker has acknowledged nothing; 0 while it does. Thread-safe."""
        since = self._silent_since
        return 0.0 if since is None else time.monotonic() - since

    def close(self) -> None:
        """Send what is queued and ignore errors, at the end of the process. A flush under way raises."""
        self._closing.set()
        with contextlib.suppress(KafkaException, PublishError):
            self.flush_now(LAST_FLUSH_S)
