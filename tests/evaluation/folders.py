"""A made-up OULAD folder with enough learners to teach a model: two modules, two presentations each.

Those who are lost click less and less, half of them unregister, and they seldom hand anything in.
"""

from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

MODULES = ("AAA", "BBB")
CODES = ("2013J", "2014B")
LENGTH = 63
LEARNERS = 90
"""In each run, two in five of them lost."""

DEMOGRAPHICS: dict[str, tuple[str | None, ...]] = {
    "gender": ("F", "M"),
    "region": ("Wales", "Scotland", "Ireland"),
    "highest_education": ("A Level or Equivalent",),
    "imd_band": ("0-10%", "10-20", None),
    "age_band": ("0-35", "35-55"),
    "disability": ("N", "Y"),
}

TABLES = (
    "courses",
    "vle",
    "assessments",
    "studentRegistration",
    "studentInfo",
    "studentAssessment",
    "studentVle",
)

Rows = list[dict[str, Any]]


@cache
def tables(seed: int = 1) -> dict[str, Rows]:
    """Every table's rows, clicks as ``studentVle``."""
    rng = np.random.default_rng(seed)
    found: dict[str, Rows] = {name: [] for name in TABLES}
    for number, module in enumerate(MODULES):
        for place, code in enumerate(CODES):
            _run(found, rng, module, code, 10 * number + place)
    return found


def _run(found: dict[str, Rows], rng: np.random.Generator, module: str, code: str, number: int) -> None:
    run = {"code_module": module, "code_presentation": code}
    found["courses"].append(run | {"module_presentation_length": LENGTH})
    found["vle"].append(run | {"id_site": number, "activity_type": "oucontent"})
    for due in (20, 40):
        work = run | {"id_assessment": 100 * number + due, "assessment_type": "TMA"}
        found["assessments"].append(work | {"date": due, "weight": 50})
    for learner in range(LEARNERS):
        _learner(found, rng, run, number, 1000 * number + learner)


def _learner(
    found: dict[str, Rows], rng: np.random.Generator, run: dict[str, Any], number: int, student: int
) -> None:
    lost = rng.random() < 0.4
    left = int(rng.integers(10, 55)) if lost else LENGTH
    unregistered = left if lost and rng.random() < 0.5 else None
    who = run | {"id_student": student}
    registered = int(rng.integers(-40, 3))
    found["studentRegistration"].append(
        who | {"date_registration": registered, "date_unregistration": unregistered}
    )
    result = "Pass" if not lost else "Fail" if unregistered is None else "Withdrawn"
    about = {name: words[int(rng.integers(len(words)))] for name, words in DEMOGRAPHICS.items()}
    found["studentInfo"].append(who | about | {"final_result": result})
    for day in range(max(registered + 1, -5), LENGTH):
        fading = max(0.0, 1 - day / left) if lost else 1.0
        if rng.random() < 0.5 * fading + 0.01:
            clicks = {"id_site": number, "date": day, "sum_click": int(rng.integers(1, 9))}
            found["studentVle"].append(who | clicks)
    for due in (20, 40):
        if due <= left and rng.random() < (0.5 if lost else 0.95):
            work = {"id_assessment": 100 * number + due, "id_student": student, "is_banked": 0}
            handed_in = {"date_submitted": due - int(rng.integers(0, 4)), "score": int(rng.integers(40, 100))}
            found["studentAssessment"].append(work | handed_in)


def write(folder: Path, changed: dict[str, Rows] | None = None) -> Path:
    """The folder as parquet; ``changed`` replaces tables."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, rows in (tables() | (changed or {})).items():
        if name == "studentVle":
            for module in MODULES:
                for code in CODES:
                    _clicks(folder / "studentVle_ds", rows, module, code)
        else:
            pq.write_table(pa.Table.from_pylist(rows), folder / f"{name}.parquet")
    return folder


def _clicks(out: Path, rows: Rows, module: str, code: str) -> None:
    part = out / f"code_module={module}" / f"code_presentation={code}"
    part.mkdir(parents=True, exist_ok=True)
    mine = [row for row in rows if (row["code_module"], row["code_presentation"]) == (module, code)]
    names = ("id_student", "id_site", "date", "sum_click")
    table = pa.table({name: pa.array([row[name] for row in mine], pa.int64()) for name in names})
    pq.write_table(table.sort_by("date"), part / "part-0.parquet")
