"""Every Prometheus metric of the worker, and the moments at which it is taken. The only list."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Literal

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from engine.batch.unknown_fields import MAX_NAMES, OTHERS
from engine.continuity import LogBreak
from engine.outputs import Outputs
from engine.processor import PartitionProcessor
from schemas.dead_letter import FIELD_REASONS

Stage = Literal["outputs", "store", "state"]
_QUICK = (0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)


@dataclass(slots=True)
class Health:
    """What a partition did since its last row in the store. Milliseconds are sums."""

    events: int = 0
    dead_letters: int = 0
    batches: int = 0
    batch_records: int = 0
    apply_ms: float = 0.0
    flush_ms: dict[Stage, float] = field(default_factory=dict)
    state_rows: int = 0


@dataclass(slots=True)
class _Seen:
    events: int = 0
    dead_letters: int = 0
    duplicates: int = 0


@dataclass(slots=True)
class _Partition:
    health: Health = field(default_factory=Health)
    seen: _Seen = field(default_factory=_Seen)


class Metrics:
    """The worker's metrics, in a registry of their own so that a process may have several."""

    def __init__(self) -> None:
        self.registry = registry = CollectorRegistry()
        self.applied = Counter(
            "homeroom_events_applied",
            "Messages of the events topic applied",
            ["partition"],
            registry=registry,
        )
        self.duplicates = Counter(
            "homeroom_duplicates",
            "Messages dropped as repeats of an event id",
            ["partition"],
            registry=registry,
        )
        self.dead_letters = Counter(
            "homeroom_dead_letters", "Records that could not be applied", ["reason"], registry=registry
        )
        self.fields_refused = Counter(
            "homeroom_fields_refused",
            "Fields refused or held at their bound, each a dead letter; the rest of the record was applied",
            ["field"],
            registry=registry,
        )
        self.rows_refused = Counter(
            "homeroom_rows_refused",
            "Rows that the store refuses for good, each a dead letter",
            ["table"],
            registry=registry,
        )
        self.unknown_fields = Counter(
            "homeroom_unknown_fields",
            "Records applied with a field that the contract does not know, by its name",
            ["field"],
            registry=registry,
        )
        self.records_lost = Counter(
            "homeroom_records_lost",
            "Records that were gone from their log before they were read, by offset range",
            ["topic", "partition"],
            registry=registry,
        )
        self.log_breaks = Counter(
            "homeroom_log_breaks",
            "Times that a topic's log did not join what was applied of it",
            ["topic", "partition", "cause"],
            registry=registry,
        )
        self.lag = Gauge(
            "homeroom_consumer_lag", "Records behind the partition's end", ["partition"], registry=registry
        )
        self.watermark_age = Gauge(
            "homeroom_watermark_age_seconds",
            "Wall clock less the partition's watermark",
            ["partition"],
            registry=registry,
        )
        self.committed_age = Gauge(
            "homeroom_committed_offset_age_seconds",
            "Time that the partition's oldest delivered batch has waited for its commit",
            ["partition"],
            registry=registry,
        )
        self.batch_records = Histogram(
            "homeroom_batch_records",
            "Records in a batch",
            buckets=(1, 10, 100, 500, 1000, 2000, 4000, 8000),
            registry=registry,
        )
        self.apply_seconds = Histogram(
            "homeroom_apply_seconds", "Time to apply a batch", buckets=_QUICK, registry=registry
        )
        self.close_seconds = Histogram(
            "homeroom_close_seconds", "Time to close a day", buckets=_QUICK, registry=registry
        )
        self.score_seconds = Histogram(
            "homeroom_score_seconds", "Time to score a day", buckets=_QUICK, registry=registry
        )
        self.flush_seconds = Histogram(
            "homeroom_flush_seconds",
            "Time of a checkpoint's stages",
            ["stage"],
            buckets=_QUICK,
            registry=registry,
        )
        self.barrier_seconds = Histogram(
            "homeroom_day_barrier_wait_seconds", "Wait for a day package", buckets=_QUICK, registry=registry
        )
        self.state_rows = Gauge("homeroom_state_rows", "Enrolments held", ["partition"], registry=registry)
        self.risk_changes = Counter(
            "homeroom_risk_changes", "Risk changes by their new level", ["level"], registry=registry
        )
        self.nudges = Counter("homeroom_nudges", "Nudge decisions", ["decision", "reason"], registry=registry)
        self.store_up = Gauge("homeroom_store_up", "Whether the store took the last batch", registry=registry)
        self.broker_silent = Gauge(
            "homeroom_broker_silent_seconds",
            "Time for which the broker has not taken what was sent; 0 while it does",
            registry=registry,
        )
        self._partitions: dict[int, _Partition] = {}
        self._fields: set[str] = set()

    def of(self, partition: int) -> _Partition:
        return self._partitions.setdefault(partition, _Partition())

    def take_health(self, partition: int) -> Health:
        """What was noted since the last call."""
        noted = self.of(partition)
        health, noted.health = noted.health, Health()
        return health

    @contextmanager
    def applying(self, partition: int, records: int) -> Iterator[None]:
        """Around applying a batch."""
        self.batch_records.observe(records)
        health = self.of(partition).health
        health.batches += 1
        health.batch_records = max(health.batch_records, records)
        started = time.perf_counter()
        yield
        spent = time.perf_counter() - started
        self.apply_seconds.observe(spent)
        health.apply_ms += 1000 * spent

    @contextmanager
    def closing(self) -> Iterator[None]:
        """Around closing a day."""
        with self.close_seconds.time():
            yield

    @contextmanager
    def scoring(self) -> Iterator[None]:
        """Around scoring a day."""
        with self.score_seconds.time():
            yield

    @contextmanager
    def flushing(self, stage: Stage, partition: int) -> Iterator[None]:
        """Around a stage of a checkpoint."""
        started = time.perf_counter()
        yield
        spent = time.perf_counter() - started
        self.flush_seconds.labels(stage).observe(spent)
        flush_ms = self.of(partition).health.flush_ms
        flush_ms[stage] = flush_ms.get(stage, 0.0) + 1000 * spent

    def waited(self, seconds: float) -> None:
        """For a day package."""
        self.barrier_seconds.observe(seconds)

    def said(self, partition: int, outputs: Outputs) -> None:
        """Count what went out."""
        for change in outputs.risk_changes:
            self.risk_changes.labels(change.level).inc()
        for decision in outputs.decisions:
            self.nudges.labels(decision.decision, decision.reason).inc()
        letters = [letter for letter in outputs.dead_letters if letter.reason != "lost"]
        for letter in letters:
            if letter.reason in FIELD_REASONS:
                self.fields_refused.labels(letter.field.split(".")[0]).inc()
            else:
                self.dead_letters.labels(letter.reason).inc()
        for name, number in outputs.unknown_fields.items():
            label = name if name in self._fields or len(self._fields) < MAX_NAMES else OTHERS
            self._fields.add(label)
            self.unknown_fields.labels(label).inc(number)
        self.of(partition).health.dead_letters += sum(
            letter.reason not in FIELD_REASONS for letter in letters
        )

    def broke(self, topic: str, partition: int, broken: LogBreak) -> None:
        """Count a break in a topic's log, and what is lost by it."""
        self.log_breaks.labels(topic, str(partition), broken.cause).inc()
        self.records_lost.labels(topic, str(partition)).inc(broken.records)

    def progressed(self, processor: PartitionProcessor) -> None:
        """Count what was applied since the last call."""
        clock, noted = processor.state.clock, self.of(processor.partition)
        label = str(processor.partition)
        events, duplicates = clock.events - noted.seen.events, clock.duplicates - noted.seen.duplicates
        self.applied.labels(label).inc(max(events, 0))
        self.duplicates.labels(label).inc(max(duplicates, 0))
        noted.health.events += max(events, 0)
        noted.seen = _Seen(clock.events, clock.dead_letters, clock.duplicates)
        self.state_rows.labels(label).set(len(processor.state.slots))
        if processor.watermark is not None:
            self.watermark_age.labels(label).set(time.time() - processor.watermark)

    def restored(self, processor: PartitionProcessor) -> None:
        """Start counting from a restored state."""
        clock = processor.state.clock
        self.of(processor.partition).seen = _Seen(clock.events, clock.dead_letters, clock.duplicates)
