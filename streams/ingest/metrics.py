"""The ingest's metrics."""

from prometheus_client import CollectorRegistry, Counter, Gauge

from streams.ingest.batch import TranslatedBatch


class IngestMetrics:
    """Counters of one process, in a registry of their own. Labels are topics of the list and fixed words."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.records = Counter(
            "homeroom_ingest_records", "Records of sources that were read", ["topic"], registry=self.registry
        )
        self.messages = Counter(
            "homeroom_ingest_messages",
            "Messages of the contract that they became",
            ["topic"],
            registry=self.registry,
        )
        self.events = Counter(
            "homeroom_ingest_events",
            "Events in them by what became of them: translated, unknown (an activity of the kind other), "
            "ignored, repeated, outside any course, anonymous, voided",
            ["topic", "fate"],
            registry=self.registry,
        )
        self.refused = Counter(
            "homeroom_ingest_refused",
            "Records, or parts of them, that are dead letters",
            ["topic", "reason"],
            registry=self.registry,
        )
        self.committed_at = Gauge(
            "homeroom_ingest_committed_timestamp_seconds",
            "When offsets were last committed, epoch seconds",
            registry=self.registry,
        )

    def count(self, topic: str, records: int, batch: TranslatedBatch) -> None:
        """Count a translated batch."""
        self.records.labels(topic).inc(records)
        self.messages.labels(topic).inc(len(batch.records))
        for (_, fate), events in batch.names.items():
            self.events.labels(topic, fate).inc(events)
        for letter in batch.letters:
            self.refused.labels(topic, letter.reason).inc()
