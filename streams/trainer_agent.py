"""The agent around the trainer: reads day reports, publishes day packages, and acks reports.

Reports and packages of the same worker are passed on directly: a replay waits at the day barrier, and a round
trip through the broker takes as long as a day's events. They also come through the topics, and count once.
Nothing is lost by that: a package is sent by the worker's only producer, whose flush at every checkpoint
waits for it too, so every checkpoint that depends on a package follows it.
"""

import logging
import time
from collections import deque
from dataclasses import asdict
from typing import Any

from engine.batch.course_facts import decode_course_facts
from engine.day.aggregates import as_date
from engine.outputs import Outputs
from online_models.metrics import ProgressiveValidation
from online_models.trainer import Trainer
from schemas.learning import DayPackage, DayReport
from schemas.quality import DataQualityEvent
from schemas.topics import DATA_QUALITY
from streams.course_facts import CourseFactsReader
from streams.day_packages import KEPT_DAYS, PackageReader
from streams.day_reports import ReportReader
from streams.dead_letters import send_dead_letter
from streams.policy_files import Policies
from streams.publisher import Publisher
from streams.runner import Delivery
from streams.settings import Settings
from streams.store_writer import StoreWriter

WRITE_EVERY_S = 2.0
"""Seconds between inserts: a replay closes dozens of days a second, and would wait for an insert of each."""

WRITE_EVERY_DAYS = KEPT_DAYS // 2
"""Days after which rows are written in any case: those that a crash prevents are made again from the kept
packages."""

RUNS_PER_MESSAGE = 400
"""Course runs in one message about data quality: their names have up to 128 characters, in JSON of up to six
bytes each."""

log = logging.getLogger(__name__)


class TrainerAgent:
    """Runs on the worker that has the only partition of the day reports. Resumes from the newest package."""

    def __init__(
        self,
        settings: Settings,
        publisher: Publisher,
        packages: PackageReader,
        course_facts: CourseFactsReader,
        store_writer: StoreWriter,
    ) -> None:
        self._publisher = publisher
        self._packages = packages
        self._course_facts = course_facts
        self._timing = settings.rules.timing
        self._prefix = settings.prefix
        self._store_writer = store_writer
        self._policies = Policies(settings.policy)
        self._quality_topic = settings.prefix + DATA_QUALITY.name
        newest = packages.newest()
        self._course_facts_known = -1 if newest is None else course_facts.known_by(newest)
        count = settings.partitions
        self._trainer = Trainer(count) if newest is None else Trainer.resume(newest, count)
        self._reports = ReportReader()
        self._unacked: deque[tuple[int, Delivery]] = deque()
        self._pending = Outputs()
        self._days_pending = 0
        self._last_write_s = time.monotonic()
        for package in packages.recent():
            self._record(package)  # a crash may have come between its publication and the rows' insert
        if newest is not None:
            log.info("trainer: goes on after day %d with %d examples", newest.day, newest.model.examples)

    async def process(self, delivery: Delivery) -> None:
        """Process a batch of reports: publish packages of complete days, ack reports of published ones."""
        newest_day, batch = -(10**9), delivery.batch
        for record in zip(batch.keys, batch.values, batch.offsets, strict=True):
            day, report = self._reports.read(*record)
            newest_day = newest_day if day is None else max(newest_day, day)
            if report is not None:
                self._receive(report)
        self._unacked.append((newest_day, delivery))
        if time.monotonic() - self._last_write_s >= WRITE_EVERY_S or self._days_pending >= WRITE_EVERY_DAYS:
            await self.flush()

    def add_rows(self, outputs: Outputs) -> None:
        """Add rows to the next write."""
        self._pending.extend(outputs)

    def receive_local(self, report: DayReport) -> None:
        """Receive a report of the same worker directly, if it is of the next day to be published.

        Of a later day, earlier reports of its partition may still be on their way through the topic.
        """
        if self._trainer.published is not None and report.day == self._trainer.published + 1:
            self._receive(report)

    def _receive(self, report: DayReport) -> None:
        for package in self._trainer.receive(report):
            self._publish(package)

    async def flush(self) -> None:
        """Write the rows of published packages, then ack their reports."""
        pending, self._pending, self._days_pending = self._pending, Outputs(), 0
        for table, columns in pending.rows.items():
            await self._store_writer.write(table, columns)
        self._last_write_s = time.monotonic()
        await self._publisher.flush()
        while self._unacked and self._is_published(self._unacked[0][0]):
            await self._unacked.popleft()[1].ack()

    def _is_published(self, day: int) -> bool:
        return self._trainer.published is not None and day <= self._trainer.published

    def _publish(self, package: DayPackage) -> None:
        policy = self._policies.in_force_on(package.day + 1)
        if policy is not None:
            package = package.model_copy(update={"policy": policy.model_dump(mode="json")})
        package = self._with_course_facts(package)
        self._packages.publish(package)
        self._reports.forget_before(package.day + 1)
        self._record(package)

    def _with_course_facts(self, package: DayPackage) -> DayPackage:
        """Name in a package what is known of the course facts, and report the invalid ones among the new."""
        position = self._course_facts.position
        if position.applied < 0:
            return package
        new = self._course_facts.between(self._course_facts_known, position.applied)
        for letter in decode_course_facts(new, self._timing).letters:
            send_dead_letter(self._publisher, self._prefix, letter)
        self._course_facts_known = position.applied
        return package.model_copy(
            update={"course_facts": position.applied, "course_facts_topic": position.topic_id}
        )

    def _record(self, package: DayPackage) -> None:
        """Publish a package's data quality events, and add its rows to the next write."""
        self._days_pending += 1
        self._pending.extend(package_rows(package))
        for event in [part for whole in package.quality.events for part in split_event(whole)]:
            message = event.model_dump_json().encode()
            self._publisher.send(self._quality_topic, message, event.verdict.source, 0)


def package_rows(package: DayPackage) -> Outputs:
    """The rows of a package: model metrics (drift and promotions included), calibration, data quality."""
    rows = Outputs()
    common = {"day": as_date(package.day), "model_version": package.model.model_version}
    for metric, value in package.metrics.items():
        rows.add_row("model_metrics", **common, metric=metric, value=value, examples=package.model.examples)
    for bucket in ProgressiveValidation.from_state(package.model.state["progress"]).calibration():
        rows.add_row("model_calibration", **common, **asdict(bucket))
    for event in package.quality.events:
        rows.add_row("data_quality", **_quality_row(event))
    return rows


def split_event(event: DataQualityEvent) -> list[DataQualityEvent]:
    """Split an event of a source with very many course runs into messages that each fit into a record.

    Each is an event of its own, with the event's id and a number; the first has the event's id.
    """
    runs = event.verdict.course_runs
    if len(runs) <= RUNS_PER_MESSAGE:
        return [event]
    return [
        event.model_copy(
            update={
                "event_id": f"{event.event_id}.{first // RUNS_PER_MESSAGE}" if first else event.event_id,
                "verdict": event.verdict.model_copy(
                    update={"course_runs": runs[first : first + RUNS_PER_MESSAGE]}
                ),
            }
        )
        for first in range(0, len(runs), RUNS_PER_MESSAGE)
    ]


def _quality_row(event: DataQualityEvent) -> dict[str, Any]:
    verdict = event.verdict
    row = event.model_dump(include={"event_id", "occurred_at", "alarm"})
    row |= verdict.model_dump(exclude={"since"})
    row |= {name: row[name] or "" for name in ("course_run", "kind")}
    return row | {"day": as_date(event.day), "since": as_date(verdict.since)}
