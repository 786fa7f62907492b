"""What grows with an installation, in records that fit: thousands of course runs, a backlog's event ids."""

import uuid
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

import numpy as np
import orjson

from engine.batch.decoding import MAX_RECORD_BYTES as MAX_EVENT_BYTES
from engine.pieces import RECORD_BYTES, PieceAssembler, compress, decompress, piece_of, records_of
from engine.processor import PartitionProcessor
from engine.state.partition_state import PartitionState
from engine.state.row_keys import MARK
from features.catalogue import FEATURES, FINGERPRINT
from features.packed_arrays import pack
from online_models.classifier import RiskClassifier
from online_models.trainer import Trainer
from schemas.dead_letter import DeadLetter
from schemas.learning import DayPackage, DayReport
from schemas.quality import DataQualityEvent, QualityVerdict
from sources.stream import instant
from streams.day_reports import ReportReader, records_of_report
from streams.trainer_agent import apart
from tests.engine.state.test_partition_state import same
from tests.streams.pipeline import IDENTITY, REPLAY, START, batch_of, record

RUNS = [f"{'a course with a long name ' * 3}{number:04d}/2024" for number in range(3000)]
DAY_S = 86_400
NOON = START * DAY_S + DAY_S // 2


class Partition:
    """A processor that is given messages."""

    def __init__(self) -> None:
        self.processor = PartitionProcessor(0, REPLAY, PartitionState(IDENTITY))
        self._offset = 0

    def feed(self, messages: Iterable[dict[str, Any]]) -> int:
        """Apply messages; how many dead letters they made."""
        records = [record(message) for message in messages]
        outputs = self.processor.apply(batch_of(records, self._offset))
        self._offset += len(records)
        return len(outputs.dead_letters)

    def stored(self, rows: dict[bytes, bytes]) -> int:
        """Apply a checkpoint to the rows stored so far; the size of its largest row."""
        largest = 0
        for key, value in self.processor.state.checkpoint(1):
            largest = max(largest, len(key) + len(value or b""))
            if value is None:
                rows.pop(key, None)
            else:
                rows[key] = value
        return largest


def active(run: str, event_id: str, time: float, learner: str = "l") -> dict[str, Any]:
    return {"type": "activity", "event_id": event_id, "learner": learner, "course_run": run} | {
        "kind": "quiz",
        "occurred_at": instant(int(time)),
    }


def tick(day: float) -> dict[str, Any]:
    return {"type": "tick", "occurred_at": instant(int(day * DAY_S))}


def calendar(run: str) -> dict[str, Any]:
    deadlines = [
        {"assessment": f"work-{week}", "due_at": instant((START + 7 * week) * DAY_S), "weight": 0.1}
        for week in range(1, 11)
    ]
    return {"type": "calendar", "event_id": f"of {run}"[:128], "course": "c", "course_run": run} | {
        "occurred_at": instant(START * DAY_S),
        "starts_at": instant(START * DAY_S),
        "ends_at": instant((START + 84) * DAY_S),
        "deadlines": deadlines,
    }


def test_sixty_thousand_uuids_between_two_checkpoints() -> None:
    """A backlog of some thousand events a second; the worker died at every start from 28,000 on."""
    partition, rows = Partition(), dict[bytes, bytes]()
    ids = [str(uuid.UUID(int=number * 2**64 + number)) for number in range(60_000)]
    events = [active("c/r", event_id, NOON + index % 3600) for index, event_id in enumerate(ids)]
    assert partition.feed([tick(START + 0.5), *events]) == 0
    assert partition.stored(rows) <= RECORD_BYTES
    assert sum(map(len, rows.values())) > 2_000_000
    state = PartitionState.restore(IDENTITY, rows.items())
    same(state, partition.processor.state)
    assert not any(state.ids.add_if_new(event_id) for event_id in (ids[0], ids[30_000], ids[-1]))
    for day in range(1, 4):  # their day is over, and the day after it
        partition.feed([tick(START + day + 0.5)])
        assert partition.processor.due == START + day - 1
        (report,) = partition.processor.close()
        partition.processor.advance(_package_of(report))
        partition.stored(rows)
    assert len(rows) < 20, "no piece of them is left"


def _package_of(report: DayReport) -> DayPackage:
    return Trainer(1).receive(report)[0]


def test_three_thousand_course_runs() -> None:
    """The mark, every row beside it, and the day's report."""
    partition, rows = Partition(), dict[bytes, bytes]()
    assert partition.feed([tick(START + 0.5), *map(calendar, RUNS)]) == 0
    assert partition.feed(active(run, f"{index}", NOON) for index, run in enumerate(RUNS)) == 0
    partition.feed([tick(START + 1.5)])
    (report,) = partition.processor.close()
    assert len(report.cohorts) == len(RUNS)
    records = records_of_report(report)
    assert max(len(key) + len(value) for key, value in records) <= RECORD_BYTES
    reader, complete = ReportReader(), []
    for index, (key, value) in enumerate(reversed(records)):
        day_of_it, whole = reader.take(key.encode(), value, index)
        assert day_of_it == report.day
        complete += [] if whole is None else [whole]
    assert complete == [report]
    measures = {run: pack(np.ones((4, 10), np.int64)) for run in RUNS}
    model = RiskClassifier().snapshot("model")
    package = DayPackage(day=report.day, features=FINGERPRINT, cohorts={}, deadlines=measures, model=model)
    partition.processor.state.yardsticks.update(package)
    assert partition.stored(rows) <= RECORD_BYTES
    assert len(rows[MARK]) < 1000
    assert b"p|1|s|measures" in rows
    state = PartitionState.restore(IDENTITY, rows.items())
    same(state, partition.processor.state)
    assert state.yardsticks.as_json() == partition.processor.state.yardsticks.as_json()


def test_a_package_of_three_thousand_course_runs() -> None:
    draw = np.random.default_rng(1)
    profiles = {run: pack(draw.integers(0, 255, (len(FEATURES), 8)).astype(np.uint8)) for run in RUNS}
    model = RiskClassifier().snapshot("model")
    package = DayPackage(day=START, features=FINGERPRINT, cohorts=profiles, model=model)
    records = records_of(compress(package.model_dump_json().encode()), str(START))
    assert len(records) > 3
    assert max(len(key) + len(value) for key, value in records) <= RECORD_BYTES
    gathering = PieceAssembler()
    pieces = [piece for _, value in records if (piece := piece_of(value)) is not None]
    complete = [gathering.add(piece, START, index) for index, piece in enumerate(pieces)]
    assert complete[-1] is not None
    assert DayPackage.model_validate_json(decompress(complete[-1].payload)) == package


def test_a_verdict_on_a_source_of_three_thousand_course_runs_is_said_in_several_messages() -> None:
    runs = ["\x01" * 120 + f"{number:08d}" for number in range(3000)]
    verdict = QualityVerdict(
        source="moodle",
        course_run=None,
        kind=None,
        problem="quiet",
        since=START,
        observed=0.0,
        expected=9.0,
        surprise=20.0,
        course_runs=runs,
    )
    event = DataQualityEvent(
        event_id="e", alarm="opened", day=START, occurred_at=instant(START * DAY_S), verdict=verdict
    )
    messages = apart(event)
    assert max(len(part.model_dump_json().encode()) for part in messages) <= RECORD_BYTES
    assert [run for part in messages for run in part.verdict.course_runs] == runs
    assert len({part.event_id for part in messages}) == len(messages)
    assert messages[0].event_id == "e"
    small = event.model_copy(update={"verdict": verdict.model_copy(update={"course_runs": runs[:9]})})
    assert apart(small) == [small]


def test_the_largest_things_that_are_not_cut_fit() -> None:
    """Of every field the longest, in characters that JSON writes with six bytes."""
    longest = "\x01" * 128
    deadlines = [
        {"assessment": longest[:-2] + f"{index:02d}", "due_at": instant(START * DAY_S), "weight": 1 / 3}
        for index in range(32)
    ]
    message = calendar("c/r") | {"course_run": longest, "course": longest, "deadlines": deadlines}
    assert len(orjson.dumps(message)) < RECORD_BYTES
    letter = DeadLetter(
        dead_letter_id=longest,
        topic=longest,
        partition=1,
        offset=1,
        reason="invalid",
        field=longest,
        detail=longest,
        payload="\x01" * 4096,
        received_at=datetime.fromtimestamp(0, UTC),
    )
    assert len(letter.model_dump_json().encode()) < RECORD_BYTES
    assert MAX_EVENT_BYTES * 4 < RECORD_BYTES
