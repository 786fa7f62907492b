"""Truncates an OULAD folder at the start of an event day, to detect a source that uses future data.

Clicks, submissions, registrations and unregistrations of that day or later are removed, and so are the final
results of runs that had not ended. Calendars remain: a course's length and deadlines are known before it
begins.
"""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from evaluation.outcomes import Bools, Ints, keys_of, runs_of
from sources.oulad import UNKNOWN_REGISTRATION, start_day
from sources.oulad_tables import OuladTables, Presentation, numbers, whole_numbers


def write_truncated(folder: Path, day: int, out: Path) -> None:
    """Write the folder as parquet to ``out``, as of the start of the event day ``day``.

    Raises:
        OuladError: if the folder is not OULAD.
    """
    tables = OuladTables(folder)
    out.mkdir(parents=True, exist_ok=True)
    for name in ("courses", "vle", "assessments"):
        pq.write_table(tables.table(name), out / f"{name}.parquet")
    registration = _registration(tables, day)
    pq.write_table(registration, out / "studentRegistration.parquet")
    pq.write_table(_info(tables, registration, day), out / "studentInfo.parquet")
    pq.write_table(_submissions(tables, day), out / "studentAssessment.parquet")
    for presentation in tables.presentations:
        _clicks(tables, presentation, day - start_day(presentation.code), out / "studentVle_ds")


def _starts(table: pa.Table) -> Ints:
    """The event day on which each row's run begins, [rows]."""
    return np.array([start_day(code) for code in table["code_presentation"].to_pylist()], np.int64)


def _registration(tables: OuladTables, day: int) -> pa.Table:
    table = tables.table("studentRegistration")
    starts = _starts(table)
    left = numbers(table, "date_unregistration")
    unregistered = starts + left < day
    # Learners without a day of registration had registered before: see sources.oulad.
    registered = numbers(table, "date_registration")
    assumed = np.fmin(UNKNOWN_REGISTRATION, left)
    registered_by_then = starts + np.where(np.isnan(registered), assumed, registered) < day
    unregistration_days = pa.array(np.where(unregistered, left, np.nan), from_pandas=True)
    column = table.column_names.index("date_unregistration")
    return table.set_column(column, "date_unregistration", unregistration_days).filter(
        pa.array(registered_by_then)
    )


def _info(tables: OuladTables, registration: pa.Table, day: int) -> pa.Table:
    table = tables.table("studentInfo")
    registered, left = (
        keys_of(registration, "studentRegistration"),
        np.isfinite(numbers(registration, "date_unregistration")),
    )
    unregistered = {key for key, has_left in zip(registered, left.tolist(), strict=True) if has_left}
    remaining = frozenset(registered)
    courses = tables.table("courses")
    ends = dict(
        zip(
            runs_of(courses),
            _starts(courses) + whole_numbers(courses, "module_presentation_length", "courses"),
            strict=True,
        )
    )
    run_ended: Bools = np.array([ends[run] < day for run in runs_of(table)], np.bool_)
    keys = keys_of(table, "studentInfo")
    is_final = run_ended | np.array([key in unregistered for key in keys], np.bool_)
    results = pc.if_else(pa.array(is_final), table["final_result"], None)
    column = table.column_names.index("final_result")
    return table.set_column(column, "final_result", results).filter(
        pa.array([key in remaining for key in keys])
    )


def _submissions(tables: OuladTables, day: int) -> pa.Table:
    assessments, table = tables.table("assessments"), tables.table("studentAssessment")
    ids = whole_numbers(assessments, "id_assessment", "assessments").tolist()
    starts = dict(zip(ids, _starts(assessments).tolist(), strict=True))
    handed_in = whole_numbers(table, "date_submitted", "studentAssessment")
    run_starts = [
        starts.get(assessment, 0)
        for assessment in whole_numbers(table, "id_assessment", "studentAssessment").tolist()
    ]
    return table.filter(pa.array(np.array(run_starts, np.int64) + handed_in < day))


def _clicks(tables: OuladTables, presentation: Presentation, before: int, out: Path) -> None:
    """Write a presentation's clicks of days before ``before``; an empty file if there were none yet."""
    folder = out / f"code_module={presentation.module}" / f"code_presentation={presentation.code}"
    folder.mkdir(parents=True)
    schema = pa.schema([(name, pa.int64()) for name in ("id_student", "id_site", "date", "sum_click")])
    with pq.ParquetWriter(folder / "part-0.parquet", schema) as writer:
        for clicks in tables.clicks(presentation):
            earlier = clicks.day < before
            columns = (clicks.student, clicks.site, clicks.day, clicks.count)
            writer.write_table(pa.table([column[earlier] for column in columns], schema=schema))
            if not earlier.all():
                break  # clicks are sorted by day
