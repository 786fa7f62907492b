"""Packages depend on the events alone: not on partitions, interleaving, repetition or restarts."""

from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from features.bins import histogram
from features.catalogue import FINGERPRINT
from features.packed_arrays import pack, unpack
from features.yardsticks import COUNTED, Counts
from online_models.cohorts import rank_table
from online_models.scoring import scorer_of
from online_models.trainer import Trainer, shuffled
from schemas.learning import DayPackage, DayReport, TrainingExample
from tests.online_models.examples import rows, seeded

DAYS = range(100, 105)
RUNS = ("AAA/2013J", "BBB/2014B")


@dataclass(frozen=True)
class Day:
    """What happens on a day, before it is split over partitions."""

    examples: tuple[TrainingExample, ...]
    cohorts: dict[str, Any]


@cache
def term() -> dict[int, Day]:
    rng = np.random.default_rng(7)
    return {day: Day(tuple(seeded(30, seed=day)), {run: rows(30, rng)[0] for run in RUNS}) for day in DAYS}


def deadlines(codes: NDArray[np.uint8], count: int = 3) -> Counts:
    """Sums over enrolments, of a number of deadlines."""
    sums = codes[: len(COUNTED)].astype(np.int64).sum(axis=1)
    return np.stack([sums * (1 + number) for number in range(count)], axis=1)


def leaving(codes: NDArray[np.uint8]) -> Counts:
    """Any sums over enrolments."""
    sums: Counts = codes[:4].astype(np.int64).sum(axis=1) * np.array([100_000, 1, 2, 1])
    return sums


def reports(partition: int, partitions: int, parts: int) -> list[DayReport]:
    """One partition's share of the term, each day in so many parts."""
    found = []
    for day, what in term().items():
        own = what.examples[partition::partitions]
        for part in range(parts):
            cohorts = {
                run: pack(histogram(codes[:, partition::partitions])) for run, codes in what.cohorts.items()
            }
            found.append(
                DayReport(
                    partition=partition,
                    day=day,
                    part=part,
                    parts=parts,
                    features=FINGERPRINT,
                    cohorts=cohorts if part == 0 else {},
                    deadlines={
                        run: pack(deadlines(codes[:, partition::partitions]))
                        for run, codes in what.cohorts.items()
                        if part == 0
                    },
                    leaving={
                        run: pack(leaving(codes[:, partition::partitions]))
                        for run, codes in what.cohorts.items()
                        if part == 0
                    },
                    examples=list(own[part::parts]),
                )
            )
    return found


def through_json(package: DayPackage) -> DayPackage:
    return DayPackage.model_validate_json(package.model_dump_json())


@cache
def expected() -> list[str]:
    trainer = Trainer(1)
    return [package.model_dump_json() for report in reports(0, 1, 1) for package in trainer.receive(report)]


def test_each_day_has_its_package() -> None:
    packages = [DayPackage.model_validate_json(text) for text in expected()]
    assert [package.day for package in packages] == list(DAYS)
    assert [package.model.examples for package in packages] == [30, 60, 90, 120, 150]
    assert packages[2].model.model_version == "risk/mixed-3-102-90"
    assert packages[-1].model.warming_up
    assert packages[-1].metrics["examples"] == 150
    assert packages[-1].metrics["served"] == 100
    for run, codes in term()[104].cohorts.items():
        np.testing.assert_array_equal(unpack(packages[-1].cohorts[run]), rank_table(histogram(codes)))
        np.testing.assert_array_equal(unpack(packages[-1].deadlines[run]), deadlines(codes))


MOST_RESTARTS = 3
"""In one example: each reads everything again."""


@settings(deadline=None, max_examples=12)
@given(st.data())
def test_any_split_interleaving_repetition_and_restart_gives_the_same_packages(data: st.DataObject) -> None:
    partitions = data.draw(st.integers(1, 5), "partitions")
    queues = [
        reports(number, partitions, data.draw(st.integers(1, 3), "parts")) for number in range(partitions)
    ]
    positions = [0] * partitions
    trainer = Trainer(partitions)
    published: list[DayPackage] = []
    restarts = 0
    while any(position < len(queue) for position, queue in zip(positions, queues, strict=True)):
        waiting = [n for n in range(partitions) if positions[n] < len(queues[n])]
        number = data.draw(st.sampled_from(waiting), "next")
        published += trainer.receive(queues[number][positions[number]])
        positions[number] += 1
        events = ["", "", "", "", "", "repeat", "restart" if restarts < MOST_RESTARTS else ""]
        event = data.draw(st.sampled_from(events), "event")
        if event == "repeat":
            back = data.draw(st.integers(1, positions[number]), "records back")
            for report in queues[number][positions[number] - back : positions[number]]:
                assert trainer.receive(report) == []
        if event == "restart" and published:
            trainer = Trainer.resume(through_json(published[-1]), partitions)
            positions = [0] * partitions
            restarts += 1
    assert [package.model_dump_json() for package in published] == expected()


def test_a_package_serves_once_enough_was_learned() -> None:
    report = reports(0, 1, 1)[0].model_copy(update={"examples": seeded(600)})
    (package,) = Trainer(1).receive(report)
    assert scorer_of(through_json(package).model).state == "serving"


def test_a_day_waits_for_every_partition_and_part() -> None:
    trainer = Trainer(2)
    first, second = reports(0, 2, 2), reports(1, 2, 1)
    assert trainer.waiting_for() == []
    assert trainer.receive(first[0]) == []
    assert trainer.waiting_for() == [0, 1]
    assert trainer.receive(second[0]) == []
    assert trainer.waiting_for() == [0]
    assert [package.day for package in trainer.receive(first[1])] == [100]


def test_a_partition_that_starts_later_has_closed_the_days_before() -> None:
    trainer = Trainer(2)
    early = reports(0, 1, 1)
    for report in early[:3]:
        assert trainer.receive(report) == []
    late = early[2].model_copy(update={"partition": 1, "examples": [], "cohorts": {}})
    assert [package.day for package in trainer.receive(late)] == [100, 101, 102]


def test_a_lost_part_holds_the_day_back() -> None:
    trainer = Trainer(1)
    first, _, *later = reports(0, 1, 2)
    for report in [first, *later]:
        assert trainer.receive(report) == []
    assert trainer.waiting_for() == [0]


def test_reports_of_published_days_are_ignored() -> None:
    trainer = Trainer(1)
    report = reports(0, 1, 1)[0]
    (package,) = trainer.receive(report)
    assert trainer.receive(report) == []
    assert Trainer.resume(through_json(package), 1).receive(report) == []


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"features": "feedfeed"}, "day report 100 of partition 0: features feedfeed, expected"),
        ({"partition": 3}, "there are 1 partitions"),
        ({"part": 2, "parts": 2}, "part 2 of 2"),
        ({"cohorts": {"AAA": pack(np.zeros((2, 2), np.int32))}}, r"shape \(2, 2\)"),
        (
            {"deadlines": {"AAA": pack(np.zeros((2, 2), np.int64))}},
            r"int64 and shape \(2, 2\)",
        ),
        ({"deadlines": {"AAA": pack(np.zeros((len(COUNTED), 2), np.int32))}}, "type int32"),
        ({"leaving": {"AAA": pack(np.zeros(3, np.int64))}}, r"leaving has type int64 and shape \(3,\)"),
        ({"leaving": {"AAA": pack(np.array([0, -1, 0, 0]))}}, "none below 0"),
        ({"examples": [seeded(1)[0].model_copy(update={"codes": b"x"})]}, "1 codes"),
    ],
)
def test_a_report_that_does_not_fit_is_refused_and_changes_nothing(
    change: dict[str, Any], complaint: str
) -> None:
    trainer = Trainer(1)
    first, *later = reports(0, 1, 1)
    with pytest.raises(ValueError, match=complaint):
        trainer.receive(first.model_copy(update=change))
    assert [p.model_dump_json() for report in [first, *later] for p in trainer.receive(report)] == expected()


def test_deadlines_of_a_shorter_calendar_are_left_out() -> None:
    """A partition that has not heard of the newest calendar yet."""
    trainer = Trainer(2)
    codes = rows(8, np.random.default_rng(3))[0]
    for number, count in enumerate((2, 3)):
        (report, *_) = reports(number, 2, 1)
        counted = {"AAA/1": pack(deadlines(codes, count))}
        found = trainer.receive(report.model_copy(update={"deadlines": counted}))
    (package,) = found
    np.testing.assert_array_equal(unpack(package.deadlines["AAA/1"]), deadlines(codes, 3))


def test_a_report_that_was_cut_off_may_come_again_in_other_parts() -> None:
    """Of another release, or by another count of examples: the parts of one never complete the other."""
    expected_one, cut_off = Trainer(1), Trainer(1)
    (whole,) = [one for one in reports(0, 1, 1) if one.day == reports(0, 1, 1)[0].day]
    parts = [one for one in reports(0, 1, 3) if one.day == whole.day]
    (package,) = expected_one.receive(whole)
    assert cut_off.receive(parts[0]) == []
    assert cut_off.receive(parts[2]) == []
    assert cut_off.receive(whole) == [package]
    assert cut_off.receive(parts[1]) == []


def test_a_package_of_other_features_is_not_resumed() -> None:
    package = DayPackage.model_validate_json(expected()[0]).model_copy(update={"features": "feedfeed"})
    with pytest.raises(ValueError, match="features feedfeed"):
        Trainer.resume(package, 1)


def test_the_order_of_learning_is_not_that_of_the_days() -> None:
    """In order of event time the last days of a run would be learned last."""
    ordered = sorted(seeded(300), key=lambda example: example.day)
    days = np.array([example.day for example in shuffled(ordered)])
    assert abs(np.corrcoef(days, np.arange(300))[0, 1]) < 0.2
    assert shuffled(reversed(ordered)) == shuffled(ordered)
