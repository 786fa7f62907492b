"""Examples from a seeded generator with a known truth, and rows made by hypothesis."""

from base64 import b64encode
from typing import Any

import numpy as np
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.typing import NDArray

from features.catalogue import BINS, FEATURES, INDEX
from online_models.design import FeatureBatch
from schemas.learning import TrainingExample

F = len(FEATURES)


def rows(count: int, rng: np.random.Generator) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Codes and ranks, each [features, count]."""
    codes = rng.integers(0, BINS, (F, count), dtype=np.uint8)
    return codes, rng.integers(0, 256, (F, count), dtype=np.uint8)


def seen_of(
    codes: NDArray[np.uint8], ranks: NDArray[np.uint8], course_run: str = "BBB/2014B"
) -> FeatureBatch:
    """Enrolments of a run that began in the first quarter of a year."""
    return FeatureBatch.of_run(codes, ranks, course_run, 0)


def truth(codes: NDArray[np.uint8]) -> NDArray[np.float64]:
    """P(lost): silence and missed deadlines decide. [features, n] → [n]"""
    drive = codes[INDEX["silence"]] / 16.0 + codes[INDEX["missed"]] / 16.0 - 4.0
    probability: NDArray[np.float64] = 1 / (1 + np.exp(-drive))
    return probability


def seeded(count: int, seed: int = 1) -> list[TrainingExample]:
    """Examples whose labels follow ``truth``; three of each enrolment, every third not served."""
    rng = np.random.default_rng(seed)
    codes, ranks = rows(count, rng)
    codes[INDEX["phase"]] = np.maximum(codes[INDEX["phase"]], 1)  # of runs with an end
    labels = rng.random(count) < truth(codes)
    return [
        TrainingExample(
            enrolment=f"e{seed}-{number // 3}",
            course_run="BBB/2014B",
            season=0,
            day=16_000 + number % 100,
            matured=16_200,
            label=bool(labels[number]),
            exits=bool(labels[number]) and number % 5 == 0,
            weight=(1 + number % 4) / 2,
            probability=round(float(rng.random()), 6),
            served=bool(number % 3),
            codes=b64encode(codes[:, number].tobytes()),
            ranks=b64encode(ranks[:, number].tobytes()),
        )
        for number in range(count)
    ]


def _array(n: int, largest: int) -> st.SearchStrategy[NDArray[Any]]:
    return hnp.arrays(np.uint8, (F, n), elements=st.integers(0, largest))


enrolments = st.integers(1, 6).flatmap(lambda n: st.tuples(_array(n, BINS - 1), _array(n, 255)))
"""Codes and ranks of up to six enrolments."""
