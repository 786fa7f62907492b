"""The trainer's shell: day reports in, day packages out, and the acks of what is published.

Reports and packages of this very worker are heard at once: the day barrier is where a replay waits, and
a way through the broker takes as long as a day's events. They come through the topics again, and count once.
Nothing is lost by that: a package goes out by the worker's one producer, whose flush at every checkpoint
waits for it too, so whatever is kept of its consequences lies behind it.
"""

import logging
import time
from collections import deque
from dataclasses import asdict
from typing import Any

from engine.day.aggregates import as_date
from engine.outputs import Outputs
from online_models.metrics import ProgressiveValidation
from online_models.trainer import Trainer
from schemas.learning import DayPackage, DayReport
from schemas.quality import DataQualityEvent
from schemas.topics import DATA_QUALITY
from streams.day_packages import KEPT, PackageReader
from streams.day_reports import ReportReader
from streams.policy_files import Policies
from streams.publisher import Publisher
from streams.runner import Delivery
from streams.settings import Settings
from streams.store_writer import Storing

WRITE_EVERY_S = 2.0
"""A replay closes dozens of days a second; an insert for each would be what it waits for."""

WRITE_DAYS = KEPT // 2
"""What a crash kept from being written must still be with the kept packages."""

RUNS_A_MESSAGE = 400
"""Course runs that one message about data quality names: their names have 128 characters at most, which JSON
may write with six bytes each."""

log = logging.getLogger(__name__)


class Training:
    """Runs where the one partition of the day reports is. Starts warm, from the newest package."""

    def __init__(
        self, settings: Settings, publisher: Publisher, packages: PackageReader, storing: Storing
    ) -> None:
        self._publisher = publisher
        self._packages = packages
        self._storing = storing
        self._policies = Policies(settings.policy)
        self._quality_topic = settings.prefix + DATA_QUALITY.name
        newest = packages.newest()
        count = settings.partitions
        self._trainer = Trainer(count) if newest is None else Trainer.resume(newest, count)
        self._reports = ReportReader()
        self._unacked: deque[tuple[int, Delivery]] = deque()
        self._rows = Outputs()
        self._noted = 0
        self._written = time.monotonic()
        for package in packages.kept():
            self._note(package)  # a crash may have come between its publication and what it says
        if newest is not None:
            log.info("trainer: goes on after day %d with %d examples", newest.day, newest.model.examples)

    async def take(self, delivery: Delivery) -> None:
        """Take a batch of reports; publish what is complete; ack what is published."""
        newest_day, batch = -(10**9), delivery.batch
        for record in zip(batch.keys, batch.values, batch.offsets, strict=True):
            day, report = self._reports.take(*record)
            newest_day = newest_day if day is None else max(newest_day, day)
            if report is not None:
                self._receive(report)
        self._unacked.append((newest_day, delivery))
        if time.monotonic() - self._written >= WRITE_EVERY_S or self._noted >= WRITE_DAYS:
            await self.settle()

    def keep(self, outputs: Outputs) -> None:
        """Write these rows with the next ones."""
        self._rows.extend(outputs)

    def hear(self, report: DayReport) -> None:
        """Take a report of this very worker. Only of the day that is next: of any other, its partition may
        have said something before that is still to come through the topic.
        """
        if self._trainer.published is not None and report.day == self._trainer.published + 1:
            self._receive(report)

    def _receive(self, report: DayReport) -> None:
        for package in self._trainer.receive(report):
            self._publish(package)

    async def settle(self) -> None:
        """Write the rows of what was published, then ack the reports it rests on."""
        noted, self._rows, self._noted = self._rows, Outputs(), 0
        for table, columns in noted.rows.items():
            await self._storing.write(table, columns)
        self._written = time.monotonic()
        await self._publisher.flush()
        while self._unacked and self._is_published(self._unacked[0][0]):
            await self._unacked.popleft()[1].ack()

    def _is_published(self, day: int) -> bool:
        return self._trainer.published is not None and day <= self._trainer.published

    def _publish(self, package: DayPackage) -> None:
        policy = self._policies.on(package.day + 1)
        if policy is not None:
            package = package.model_copy(update={"policy": policy.model_dump(mode="json")})
        self._packages.publish(package)
        self._reports.forget(package.day + 1)
        self._note(package)

    def _note(self, package: DayPackage) -> None:
        """Say what a package found out about data quality, and keep its rows for the next write."""
        self._noted += 1
        self._rows.extend(rows_of(package))
        for event in [one for told in package.quality.events for one in apart(told)]:
            said = event.model_dump_json().encode()
            self._publisher.send(self._quality_topic, said, event.verdict.source, 0)


def rows_of(package: DayPackage) -> Outputs:
    """What the store is told of a package: its figures, drift and promotions among them, and data quality."""
    found = Outputs()
    of = {"day": as_date(package.day), "model_version": package.model.model_version}
    for metric, value in package.metrics.items():
        found.add_row("model_metrics", **of, metric=metric, value=value, examples=package.model.examples)
    for one in ProgressiveValidation.from_state(package.model.state["progress"]).calibration():
        found.add_row("model_calibration", **of, **asdict(one))
    for event in package.quality.events:
        found.add_row("data_quality", **_quality_row(event))
    return found


def apart(event: DataQualityEvent) -> list[DataQualityEvent]:
    """An event as messages that each fit into a record: of a source with very many runs, some of them each.

    Each is an event of its own, whose id is the event's and a number; the first has the event's.
    """
    runs = event.verdict.course_runs
    if len(runs) <= RUNS_A_MESSAGE:
        return [event]
    return [
        event.model_copy(
            update={
                "event_id": f"{event.event_id}.{at // RUNS_A_MESSAGE}" if at else event.event_id,
                "verdict": event.verdict.model_copy(update={"course_runs": runs[at : at + RUNS_A_MESSAGE]}),
            }
        )
        for at in range(0, len(runs), RUNS_A_MESSAGE)
    ]


def _quality_row(event: DataQualityEvent) -> dict[str, Any]:
    verdict = event.verdict
    row = event.model_dump(include={"event_id", "occurred_at", "alarm"})
    row |= verdict.model_dump(exclude={"since"})
    row |= {name: row[name] or "" for name in ("course_run", "kind")}
    return row | {"day": as_date(event.day), "since": as_date(verdict.since)}
