"""Every Prometheus metric of the notifier. The only list."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from schemas.learner import Channel
from schemas.nudge import Nudge


class Metrics:
    """The notifier's metrics, in a registry of their own so that a process may have several."""

    def __init__(self) -> None:
        self.registry = registry = CollectorRegistry()
        self.outcomes = Counter(
            "homeroom_notifier_nudges",
            "Nudges brought to their end, by what became of them",
            ["channel", "outcome"],
            registry=registry,
        )
        self.attempts = Counter(
            "homeroom_notifier_attempts",
            "Attempts to deliver, by the answer: taken, refused (for now), rejected (for good), unanswered; "
            "no_answer of the address book",
            ["channel", "answer"],
            registry=registry,
        )
        self.in_flight = Gauge(
            "homeroom_notifier_under_way", "Nudges held: waiting for their time or a retry", registry=registry
        )
        self.feedback = Counter(
            "homeroom_notifier_feedback", "Links followed by learners", ["kind"], registry=registry
        )
        self.send_seconds = Histogram(
            "homeroom_notifier_send_seconds",
            "Time a provider took to answer",
            ["channel"],
            buckets=(0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120),
            registry=registry,
        )
        self.late_seconds = Histogram(
            "homeroom_notifier_late_seconds",
            "Time between a nudge's sending time and the provider's yes",
            ["channel"],
            buckets=(1, 5, 15, 60, 300, 900, 3600, 14_400, 86_400),
            registry=registry,
        )

    @contextmanager
    def sending(self, channel: Channel) -> Iterator[None]:
        """Measure the time of a hand-over to the provider."""
        with self.send_seconds.labels(channel).time():
            yield

    def observe_lateness(self, nudge: Nudge) -> None:
        """Observe how late a nudge is that is delivered now."""
        behind = (datetime.now(UTC) - nudge.send_at).total_seconds()
        self.late_seconds.labels(nudge.channel).observe(max(0.0, behind))
