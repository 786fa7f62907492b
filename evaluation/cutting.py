"""An OULAD folder as it would have looked on the morning of an event day: what came after is cut off.

Clicks, submissions, registrations and unregistrations of that day or later are gone, and so are the final
results of runs that had not ended. Calendars stay: a course's length and deadlines are known before it
begins. What this is for: a source that looked ahead in the tables would be found out.
"""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from evaluation.outcomes import Bools, Ints, keys_of, runs_of
from sources.oulad import start_day
from sources.oulad_rows import UNKNOWN_REGISTRATION
from sources.oulad_tables import OuladTables, Presentation, numbers, whole


def cut(folder: Path, day: int, out: Path) -> None:
    """Write the folder as parquet to ``out``, as of the start of the event day ``day``.

    Raises ``OuladError`` where the folder is not OULAD.
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
    gone = starts + left < day
    # Without a day of registration the learner was there before: see sources.oulad.
    registered = numbers(table, "date_registration")
    assumed = np.fmin(UNKNOWN_REGISTRATION, left)
    kept = starts + np.where(np.isnan(registered), assumed, registered) < day
    known = pa.array(np.where(gone, left, np.nan), from_pandas=True)
    place = table.column_names.index("date_unregistration")
    return table.set_column(place, "date_unregistration", known).filter(pa.array(kept))


def _info(tables: OuladTables, registration: pa.Table, day: int) -> pa.Table:
    table = tables.table("studentInfo")
    here, left = (
        keys_of(registration, "studentRegistration"),
        np.isfinite(numbers(registration, "date_unregistration")),
    )
    gone = {key for key, one in zip(here, left.tolist(), strict=True) if one}
    kept = frozenset(here)
    courses = tables.table("courses")
    ends = dict(
        zip(
            runs_of(courses),
            _starts(courses) + whole(courses, "module_presentation_length", "courses"),
            strict=True,
        )
    )
    over: Bools = np.array([ends[run] < day for run in runs_of(table)], np.bool_)
    keys = keys_of(table, "studentInfo")
    known = over | np.array([key in gone for key in keys], np.bool_)
    results = pc.if_else(pa.array(known), table["final_result"], None)
    place = table.column_names.index("final_result")
    return table.set_column(place, "final_result", results).filter(pa.array([key in kept for key in keys]))


def _submissions(tables: OuladTables, day: int) -> pa.Table:
    assessments, table = tables.table("assessments"), tables.table("studentAssessment")
    ids = whole(assessments, "id_assessment", "assessments").tolist()
    starts = dict(zip(ids, _starts(assessments).tolist(), strict=True))
    handed_in = whole(table, "date_submitted", "studentAssessment")
    begun = [starts.get(one, 0) for one in whole(table, "id_assessment", "studentAssessment").tolist()]
    return table.filter(pa.array(np.array(begun, np.int64) + handed_in < day))


def _clicks(tables: OuladTables, presentation: Presentation, before: int, out: Path) -> None:
    """A presentation's clicks of days before ``before``; an empty file where there were none yet."""
    folder = out / f"code_module={presentation.module}" / f"code_presentation={presentation.code}"
    folder.mkdir(parents=True)
    schema = pa.schema([(name, pa.int64()) for name in ("id_student", "id_site", "date", "sum_click")])
    with pq.ParquetWriter(folder / "part-0.parquet", schema) as writer:
        for clicks in tables.clicks(presentation):
            kept = clicks.day < before
            columns = (clicks.student, clicks.site, clicks.day, clicks.count)
            writer.write_table(pa.table([column[kept] for column in columns], schema=schema))
            if not kept.all():
                break  # they come in the order of their day
