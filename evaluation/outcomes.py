"""The outcomes in OULAD: which enrolments were lost, the days of their exit, and their active weeks.

**Lost** is a final result of Withdrawn or Fail. The **exit** of a lost enrolment is the day of the
unregistration; without one, the day after the last click if that is more than 28 days before the end; else
there is none. The pipeline never reads outcomes: they are read from the tables after the pass, to evaluate
it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from online_models.labels import SILENT_BEFORE_END
from sources.oulad import UNKNOWN_REGISTRATION
from sources.oulad_tables import OuladError, OuladTables, Presentation, numbers, whole_numbers

KEY = ("code_module", "code_presentation", "id_student")

Bools = NDArray[np.bool_]
Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Strings = NDArray[np.str_]


@dataclass(frozen=True, slots=True)
class Outcomes:
    """Enrolments of the selected presentations, in the order of ``studentInfo``; columns [n].

    Days count from the start of each run.
    """

    module: Strings
    presentation: Strings
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

    def indexes(self, modules: Strings, presentations: Strings, students: Ints) -> Ints:
        """The index of each enrolment, [m]; −1 for those that are not among the outcomes."""
        runs: dict[tuple[str, str], int] = {}
        own = _codes(self.module, self.presentation, self.student, runs)
        wanted = _codes(modules, presentations, students, runs)
        order = np.argsort(own)
        nearest = order[np.minimum(np.searchsorted(own, wanted, sorter=order), len(own) - 1)]
        return np.where(own[nearest] == wanted, nearest, -1)

    @property
    def last_week(self) -> int:
        """The day before which runs are evaluated, exclusive: the last three weeks are left out."""
        return int(self.length.max(initial=0)) - 20

    def select(self, chosen: Bools) -> "Outcomes":
        """The enrolments of a mask."""
        return Outcomes(
            module=self.module[chosen],
            presentation=self.presentation[chosen],
            student=self.student[chosen],
            lost=self.lost[chosen],
            exit=self.exit[chosen],
            start=self.start[chosen],
            end=self.end[chosen],
            length=self.length[chosen],
            active=self.active[chosen],
        )

    def in_force(self, day: int) -> Bools:
        """Whether each enrolment is registered, has not left, and has more than 20 days to go, [n]."""
        return (self.start < day) & (self.end >= day) & (day < self.length - 20)


def read_outcomes(folder: Path, codes: Sequence[str]) -> Outcomes:
    """The outcomes of every module's presentations with one of the codes, such as 2014B.

    Raises:
        OuladError: if a table, a column or an enrolment's row is missing.
    """
    tables = OuladTables(folder)
    info = _with_codes(tables.table("studentInfo"), codes)
    keys = keys_of(info, "studentInfo")
    registration = _with_codes(tables.table("studentRegistration"), codes)
    index = _indexes(keys, keys_of(registration, "studentRegistration"))
    courses = tables.table("courses")
    lengths = dict(
        zip(
            runs_of(courses),
            whole_numbers(courses, "module_presentation_length", "courses").tolist(),
            strict=True,
        )
    )
    length = np.array([lengths[key[:2]] for key in keys], np.float64)
    last, active = _activity(tables, keys, codes, int(length.max(initial=0)))
    result = info["final_result"].to_pylist()
    lost = np.array([final_result in ("Withdrawn", "Fail") for final_result in result], np.bool_)
    unregistered = numbers(registration, "date_unregistration")[index]
    fell_silent = np.where(last < length - SILENT_BEFORE_END, last + 1, np.nan)
    left = np.where(np.isnan(unregistered), fell_silent, unregistered)
    registered = numbers(registration, "date_registration")[index]
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


def _codes(
    modules: Strings, presentations: Strings, students: Ints, runs: dict[tuple[str, str], int]
) -> Ints:
    """A number for each (module, presentation, student), [n]. runs: numbers of the runs, extended here."""
    module, module_index = np.unique(modules.astype(np.str_), return_inverse=True)
    code, code_index = np.unique(presentations.astype(np.str_), return_inverse=True)
    pairs = [
        [runs.setdefault((module_name, code_name), len(runs)) for code_name in code.tolist()]
        for module_name in module.tolist()
    ]
    numbers: Ints = np.array(pairs, np.int64)[module_index, code_index] << 40
    return numbers + students.astype(np.int64)


def _with_codes(table: pa.Table, codes: Sequence[str]) -> pa.Table:
    wanted = frozenset(codes)
    return table.filter([code in wanted for code in table["code_presentation"].to_pylist()])


def runs_of(table: pa.Table) -> list[tuple[str, str]]:
    """Module and presentation of each row."""
    return list(zip(table["code_module"].to_pylist(), table["code_presentation"].to_pylist(), strict=True))


def keys_of(table: pa.Table, name: str) -> list[tuple[str, str, int]]:
    """Module, presentation and student of each row.

    Raises:
        OuladError: if a student is no whole number; it has the table's name.
    """
    students = whole_numbers(table, "id_student", name).tolist()
    return [(*run, student) for run, student in zip(runs_of(table), students, strict=True)]


def _indexes(keys: list[tuple[str, str, int]], table_keys: list[tuple[str, str, int]]) -> Ints:
    index = {key: position for position, key in enumerate(table_keys)}
    missing = [key for key in keys if key not in index]
    if missing:
        raise OuladError(f"studentRegistration: {'/'.join(map(str, missing[0]))} of studentInfo is missing")
    return np.array([index[key] for key in keys], np.int64)


def _activity(
    tables: OuladTables, keys: list[tuple[str, str, int]], codes: Sequence[str], longest: int
) -> tuple[Floats, Bools]:
    """The last day with a click, NaN without one, [n], and whether each week has one, [n, weeks]."""
    last = np.full(len(keys), -np.inf)
    active = np.zeros((len(keys), longest // 7 + 1), np.bool_)
    for run in tables.presentations:
        if run.code in codes:
            _mark_activity(tables, run, keys, last, active)
    return np.where(np.isinf(last), np.nan, last), active


def _mark_activity(
    tables: OuladTables, run: Presentation, keys: list[tuple[str, str, int]], last: Floats, active: Bools
) -> None:
    rows_of_run = np.array([row for row, key in enumerate(keys) if key[:2] == run], np.int64)
    students = np.array([keys[row][2] for row in rows_of_run.tolist()], np.int64)
    order = np.argsort(students)
    if not len(order):
        return
    for clicks in tables.clicks(run):
        nearest = np.minimum(np.searchsorted(students, clicks.student, sorter=order), len(order) - 1)
        matching = students[order[nearest]] == clicks.student
        rows, days = rows_of_run[order[nearest[matching]]], clicks.day[matching]
        np.maximum.at(last, rows, days)
        inside = (days >= 0) & (days // 7 < active.shape[1])
        active[rows[inside], days[inside] // 7] = True
