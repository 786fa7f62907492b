"""What partitions are told of a cohort's deadlines."""

import numpy as np

from engine.state.cohort_yardsticks import CohortYardsticks
from features.coursework import Run
from features.packed_arrays import pack
from features.yardsticks import COUNTED, Counts, make_yardstick
from schemas.learning import DayPackage, ModelSnapshot

RUN = Run("c/r", "c", 100, 200, np.array([120, 140]), np.array([0.5, 0.5]), ("a", "b"))
COUNTS = np.arange(2 * len(COUNTED)).reshape(len(COUNTED), 2)


def package(**deadlines: Counts) -> DayPackage:
    model = ModelSnapshot(
        model="m", model_version="v", features="f", examples=0, positives=0, warming_up=True, state={}
    )
    packed = {f"c/{run}": pack(counts) for run, counts in deadlines.items()}
    return DayPackage(day=120, features="f", cohorts={}, deadlines=packed, model=model)


def test_a_run_is_measured_by_the_newest_sums_of_it() -> None:
    yardsticks = CohortYardsticks()
    yardsticks.update(package(r=COUNTS * 2, s=COUNTS))
    yardsticks.update(package(r=COUNTS))
    yardsticks.update(package(s=COUNTS))
    expected = make_yardstick(RUN, COUNTS)
    assert yardsticks.of_run(RUN).miss_weight.tolist() == expected.miss_weight.tolist()
    assert CohortYardsticks(yardsticks.as_json()).of_run(RUN).mean.tolist() == expected.mean.tolist()
    yardsticks.forget("c/r")
    assert yardsticks.of_run(RUN).mean.tolist() == make_yardstick(RUN).mean.tolist()
    assert list(yardsticks.as_json()) == ["c/s"]
