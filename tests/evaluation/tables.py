"""Hand-made outcomes and tables of estimates."""

from collections.abc import Iterable, Sequence
from math import inf, nan
from typing import Any

import numpy as np
import pyarrow as pa

from evaluation.outcomes import Outcomes

LENGTH = 70.0
NAMES = ("code_module", "code_presentation", "id_student", "day", "risk")


def outcomes_of(
    lost: Sequence[bool],
    exits: Sequence[float] | None = None,
    modules: Sequence[str] | None = None,
    length: float = LENGTH,
) -> Outcomes:
    """Students 0, 1, … of run 2014B: registered long ago, never unregistered, never active."""
    count = len(lost)
    return Outcomes(
        module=np.array(modules or ["AAA"] * count, np.str_),
        presentation=np.full(count, "2014B"),
        student=np.arange(count),
        lost=np.array(lost, np.bool_),
        exit=np.array(exits or [nan] * count, np.float64),
        start=np.full(count, -30.0),
        end=np.full(count, inf),
        length=np.full(count, length),
        active=np.zeros((count, int(length) // 7 + 1), np.bool_),
    )


def table_of(rows: Iterable[Sequence[Any]], *more: str, module: str = "AAA") -> pa.Table:
    """Rows of (student, day, risk, …); ``more`` names what comes after risk."""
    records = [(module, "2014B", *row) for row in rows]
    return pa.table(dict(zip((*NAMES, *more), map(list, zip(*records, strict=True)), strict=True)))
