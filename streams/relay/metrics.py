"""The relay's metrics."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram


class RelayMetrics:
    """Counters of one process, in a registry of their own."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.messages = Counter(
            "homeroom_relay_messages",
            "Messages brought to their end, by what became of them: delivered, rejected, invalid",
            ["topic", "outcome"],
            registry=self.registry,
        )
        self.attempts = Counter(
            "homeroom_relay_attempts",
            "Requests by the answer: taken, busy, refused, gone, unanswered",
            ["answer"],
            registry=self.registry,
        )
        self.post_seconds = Histogram(
            "homeroom_relay_post_seconds",
            "Time the endpoint took to answer, or not to",
            buckets=(0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300),
            registry=self.registry,
        )
        self.committed_at = Gauge(
            "homeroom_relay_committed_timestamp_seconds",
            "When offsets were last committed, epoch seconds",
            registry=self.registry,
        )
