"""What really happened in OULAD: who was lost, when they exited, and in which weeks they were active.

The other half of every figure. **Lost** is a final result of Withdrawn or Fail. The **exit** of who was lost
is the day of the unregistration; without one, the day after the last click where that lies more than 28 days
before the end; else there is none. Nothing here reaches the pipeline: outcomes are read from the tables
after the pass, to judge it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from online_models.labels import SILENT_BEFORE_END
from sources.oulad_rows import UNKNOWN_REGISTRATION
from sources.oulad_tables import OuladError, OuladTables, Presentation, numbers, whole

KEY = ("code_module", "code_presentation", "id_student")

Bools = NDArray[np.bool_]
Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Words = NDArray[np.str_]


@dataclass(frozen=True, slots=True)
class Outcomes:
    """Enrolments of the presentations asked for, in the order of ``studentInfo``; columns [n].

    Days count from the start of each run.
    """

    module: Words
    presentation: Words
    student: Ints
    lost: Bools
    exit: Floats
    """Day of the exit; NaN where there was none."""
    start: Floats
    """Day of registration."""
    end: Floats
    """Day of unregistration; infinite where there was none."""
    length: Floats
    """Days of the run."""
    active: Bools
    """[n, weeks]: whether there was a click on one of the days 7 w to 7 w + 6."""

    def __len__(self) -> int:
        return len(self.student)

    def places(self, modules: Words, presentations: Words, students: Ints) -> Ints:
        """Where enrolments stand here, [m]; −1 for those that do not."""
        runs: dict[tuple[str, str], int] = {}
        known = _codes(self.module, self.presentation, self.student, runs)
        wanted = _codes(modules, presentations, students, runs)
        order = np.argsort(known)
        found = order[np.minimum(np.searchsorted(known, wanted, sorter=order), len(known) - 1)]
        return np.where(known[found] == wanted, found, -1)

    @property
    def last_week(self) -> int:
        """Days after which no run is judged any more, exclusive: the last three weeks decide nothing."""
        return int(self.length.max(initial=0)) - 20

    def of(self, kept: Bools) -> "Outcomes":
        """Only some of the enrolments."""
        return Outcomes(
            module=self.module[kept],
            presentation=self.presentation[kept],
            student=self.student[kept],
            lost=self.lost[kept],
            exit=self.exit[kept],
            start=self.start[kept],
            end=self.end[kept],
            length=self.length[kept],
            active=self.active[kept],
        )

    def in_force(self, day: int) -> Bools:
        """Who is registered, has not left, and has more than 20 days to go, [n]."""
        return (self.start < day) & (self.end >= day) & (day < self.length - 20)


def read_outcomes(folder: Path, codes: Sequence[str]) -> Outcomes:
    """The outcomes of every module's presentations with one of the codes, such as 2014B.

    Raises ``OuladError`` where a table, a column or an enrolment's row is missing.
    """
    tables = OuladTables(folder)
    info = _of(tables.table("studentInfo"), codes)
    keys = keys_of(info, "studentInfo")
    registration = _of(tables.table("studentRegistration"), codes)
    place = _places(keys, keys_of(registration, "studentRegistration"))
    courses = tables.table("courses")
    lengths = dict(
        zip(runs_of(courses), whole(courses, "module_presentation_length", "courses").tolist(), strict=True)
    )
    length = np.array([lengths[key[:2]] for key in keys], np.float64)
    last, active = _activity(tables, keys, codes, int(length.max(initial=0)))
    result = info["final_result"].to_pylist()
    lost = np.array([one in ("Withdrawn", "Fail") for one in result], np.bool_)
    unregistered = numbers(registration, "date_unregistration")[place]
    fell_silent = np.where(last < length - SILENT_BEFORE_END, last + 1, np.nan)
    left = np.where(np.isnan(unregistered), fell_silent, unregistered)
    registered = numbers(registration, "date_registration")[place]
    return Outcomes(
        module=np.array([key[0] for key in keys], np.str_),
        presentation=np.array([key[1] for key in keys], np.str_),
        student=np.array([key[2] for key in keys], np.int64),
        lost=lost,
        exit=np.where(lost, left, np.nan),
        start=np.where(np.isnan(registered), UNKNOWN_REGISTRATION, registered),
        end=np.where(np.isnan(unregistered), np.inf, unregistered),
        length=length,
        active=active,
    )


def _codes(modules: Words, presentations: Words, students: Ints, runs: dict[tuple[str, str], int]) -> Ints:
    """One number for each (module, presentation, student); the same ones where ``runs`` is the same."""
    module, at_module = np.unique(modules.astype(np.str_), return_inverse=True)
    code, at_code = np.unique(presentations.astype(np.str_), return_inverse=True)
    pairs = [[runs.setdefault((one, other), len(runs)) for other in code.tolist()] for one in module.tolist()]
    numbers: Ints = np.array(pairs, np.int64)[at_module, at_code] << 40
    return numbers + students.astype(np.int64)


def _of(table: pa.Table, codes: Sequence[str]) -> pa.Table:
    wanted = frozenset(codes)
    return table.filter([code in wanted for code in table["code_presentation"].to_pylist()])


def runs_of(table: pa.Table) -> list[tuple[str, str]]:
    """Module and presentation of each row."""
    return list(zip(table["code_module"].to_pylist(), table["code_presentation"].to_pylist(), strict=True))


def keys_of(table: pa.Table, name: str) -> list[tuple[str, str, int]]:
    """Module, presentation and student of each row. Raises ``OuladError``, with the table's name."""
    students = whole(table, "id_student", name).tolist()
    return [(*run, student) for run, student in zip(runs_of(table), students, strict=True)]


def _places(keys: list[tuple[str, str, int]], among: list[tuple[str, str, int]]) -> Ints:
    place = {key: at for at, key in enumerate(among)}
    missing = [key for key in keys if key not in place]
    if missing:
        raise OuladError(f"studentRegistration: {'/'.join(map(str, missing[0]))} of studentInfo is missing")
    return np.array([place[key] for key in keys], np.int64)


def _activity(
    tables: OuladTables, keys: list[tuple[str, str, int]], codes: Sequence[str], longest: int
) -> tuple[Floats, Bools]:
    """The last day with a click [n], NaN where there was none, and the weeks with one [n, weeks]."""
    last = np.full(len(keys), -np.inf)
    active = np.zeros((len(keys), longest // 7 + 1), np.bool_)
    for run in tables.presentations:
        if run.code in codes:
            _mark(tables, run, keys, last, active)
    return np.where(np.isinf(last), np.nan, last), active


def _mark(
    tables: OuladTables, run: Presentation, keys: list[tuple[str, str, int]], last: Floats, active: Bools
) -> None:
    mine = np.array([at for at, key in enumerate(keys) if key[:2] == run], np.int64)
    students = np.array([keys[at][2] for at in mine.tolist()], np.int64)
    order = np.argsort(students)
    if not len(order):
        return
    for clicks in tables.clicks(run):
        place = np.minimum(np.searchsorted(students, clicks.student, sorter=order), len(order) - 1)
        known = students[order[place]] == clicks.student
        rows, days = mine[order[place[known]]], clicks.day[known]
        np.maximum.at(last, rows, days)
        inside = (days >= 0) & (days // 7 < active.shape[1])
        active[rows[inside], days[inside] // 7] = True
