"""Every Prometheus metric of the worker, and the methods that update them. The only list."""

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

Stage = Literal["outputs", "store", "state"]
_BUCKETS_S = (0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)


@dataclass(slots=True)
class Health:
    """A partition's counts since its last row of ``pipeline_health``. Milliseconds are sums."""

    events: int = 0
    dead_letters: int = 0
    batches: int = 0
    batch_records: int = 0
    apply_ms: float = 0.0
    flush_ms: dict[Stage, float] = field(default_factory=dict)
    state_rows: int = 0


@dataclass(slots=True)
class _AppliedCounts:
    events: int = 0
    dead_letters: int = 0
    duplicates: int = 0


@dataclass(slots=True)
class _PartitionMetrics:
    health: Health = field(default_factory=Health)
    counted: _AppliedCounts = field(default_factory=_AppliedCounts)


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
            "homeroom_apply_seconds", "Time to apply a batch", buckets=_BUCKETS_S, registry=registry
        )
        self.close_seconds = Histogram(
            "homeroom_close_seconds", "Time to close a day", buckets=_BUCKETS_S, registry=registry
        )
        self.score_seconds = Histogram(
            "homeroom_score_seconds", "Time to score a day", buckets=_BUCKETS_S, registry=registry
        )
        self.flush_seconds = Histogram(
            "homeroom_flush_seconds",
            "Time of a checkpoint's stages",
            ["stage"],
            buckets=_BUCKETS_S,
            registry=registry,
        )
        self.barrier_seconds = Histogram(
            "homeroom_day_barrier_wait_seconds",
            "Wait for a day package",
            buckets=_BUCKETS_S,
            registry=registry,
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
        self._partitions: dict[int, _PartitionMetrics] = {}
        self._fields: set[str] = set()

    def partition(self, partition: int) -> _PartitionMetrics:
        return self._partitions.setdefault(partition, _PartitionMetrics())

    def drain_health(self, partition: int) -> Health:
        """Return what was counted since the last call, and start from zero."""
        noted = self.partition(partition)
        health, noted.health = noted.health, Health()
        return health

    @contextmanager
    def time_apply(self, partition: int, records: int) -> Iterator[None]:
        """Time the block that applies a batch."""
        self.batch_records.observe(records)
        health = self.partition(partition).health
        health.batches += 1
        health.batch_records = max(health.batch_records, records)
        started = time.perf_counter()
        yield
        spent = time.perf_counter() - started
        self.apply_seconds.observe(spent)
        health.apply_ms += 1000 * spent

    @contextmanager
    def time_close(self) -> Iterator[None]:
        """Time the block that closes a day."""
        with self.close_seconds.time():
            yield

    @contextmanager
    def time_scoring(self) -> Iterator[None]:
        """Time the block that scores a day."""
        with self.score_seconds.time():
            yield

    @contextmanager
    def time_flush(self, stage: Stage, partition: int) -> Iterator[None]:
        """Time the block of one stage of a checkpoint."""
        started = time.perf_counter()
        yield
        spent = time.perf_counter() - started
        self.flush_seconds.labels(stage).observe(spent)
        flush_ms = self.partition(partition).health.flush_ms
        flush_ms[stage] = flush_ms.get(stage, 0.0) + 1000 * spent

    def observe_barrier_wait(self, seconds: float) -> None:
        """Record how long a partition waited for a day package."""
        self.barrier_seconds.observe(seconds)

    def count_outputs(self, partition: int, outputs: Outputs) -> None:
        """Count risk changes, decisions, dead letters and unknown fields of a step's outputs."""
        for change in outputs.risk_changes:
            self.risk_changes.labels(change.level).inc()
        for decision in outputs.decisions:
            self.nudges.labels(decision.decision, decision.reason).inc()
        for letter in outputs.dead_letters:
            if letter.is_about_a_field:
                self.fields_refused.labels(letter.field.split(".")[0]).inc()
            elif letter.reason != "lost":
                self.dead_letters.labels(letter.reason).inc()
                self.partition(partition).health.dead_letters += 1
        for name, number in outputs.unknown_fields.items():
            label = name if name in self._fields or len(self._fields) < MAX_NAMES else OTHERS
            self._fields.add(label)
            self.unknown_fields.labels(label).inc(number)

    def count_break(self, topic: str, partition: int, broken: LogBreak) -> None:
        """Count a break in a topic's log, and the records lost by it."""
        self.log_breaks.labels(topic, str(partition), broken.cause).inc()
        self.records_lost.labels(topic, str(partition)).inc(broken.records)

    def count_applied(self, processor: PartitionProcessor) -> None:
        """Count the events applied and dropped since the last call."""
        clock, noted = processor.state.clock, self.partition(processor.partition)
        label = str(processor.partition)
        events, duplicates = clock.events - noted.counted.events, clock.duplicates - noted.counted.duplicates
        self.applied.labels(label).inc(max(events, 0))
        self.duplicates.labels(label).inc(max(duplicates, 0))
        noted.health.events += max(events, 0)
        noted.counted = _AppliedCounts(clock.events, clock.dead_letters, clock.duplicates)
        self.state_rows.labels(label).set(len(processor.state.slots))
        if processor.watermark is not None:
            self.watermark_age.labels(label).set(time.time() - processor.watermark)

    def reset_counted(self, processor: PartitionProcessor) -> None:
        """Count from the totals of a restored state on."""
        clock = processor.state.clock
        self.partition(processor.partition).counted = _AppliedCounts(
            clock.events, clock.dead_letters, clock.duplicates
        )
