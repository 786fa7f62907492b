"""A hand-made OULAD folder, small enough to be checked by eye, as CSV or as parquet.

Numbers are written as the two forms have them: whole in the CSV with ``?`` for missing, doubles in
parquet with nulls. Every quirk of the real tables that the source treats is in it once.
"""

import csv
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

Row = tuple[Any, ...]
WORDS = {"code_module", "code_presentation", "activity_type", "assessment_type", "final_result", "gender"}

TABLES: dict[str, tuple[str, list[Row]]] = {
    "courses": (
        "code_module,code_presentation,module_presentation_length",
        [("AAA", "2013J", 40), ("BBB", "2014B", 30), ("BBB", "2013J", 30)],
    ),
    "vle": (
        "id_site,code_module,code_presentation,activity_type,week_from,week_to",
        [
            (501, "AAA", "2013J", "homepage", None, None),
            (502, "AAA", "2013J", "oucontent", 1, 2),
            (503, "BBB", "2014B", "externalquiz", None, None),
            (504, "BBB", "2013J", "newtype", None, None),
        ],
    ),
    "assessments": (
        "code_module,code_presentation,id_assessment,assessment_type,date,weight",
        [
            ("AAA", "2013J", 12, "TMA", 25, 40),
            ("AAA", "2013J", 11, "TMA", 10, 60),
            ("AAA", "2013J", 13, "Exam", None, 100),
            ("BBB", "2014B", 21, "CMA", 12, 100),
            ("BBB", "2013J", 31, "CMA", 12, 100),
        ],
    ),
    "studentRegistration": (
        "code_module,code_presentation,id_student,date_registration,date_unregistration",
        [
            ("AAA", "2013J", 1, -50, None),
            ("AAA", "2013J", 2, -20, 15),
            ("AAA", "2013J", 3, None, None),
            ("AAA", "2013J", 4, -5, None),  # Withdrawn, but nobody noted when
            ("AAA", "2013J", 5, -5, 20),  # unregistered, yet failed
            ("AAA", "2013J", 6, -5, 99),  # unregistered after the end
            ("AAA", "2013J", 7, -5, 8),  # unregistered, yet passed
            ("AAA", "2013J", 8, None, -44),
            ("BBB", "2014B", 1, -3, None),
            ("BBB", "2013J", 9, -3, None),
        ],
    ),
    "studentInfo": (
        "code_module,code_presentation,id_student,gender,final_result",
        [
            ("AAA", "2013J", 1, "F", "Pass"),
            ("AAA", "2013J", 2, "M", "Withdrawn"),
            ("AAA", "2013J", 3, "F", "Fail"),
            ("AAA", "2013J", 4, "F", "Withdrawn"),
            ("AAA", "2013J", 5, "M", "Fail"),
            ("AAA", "2013J", 6, "M", "Withdrawn"),
            ("AAA", "2013J", 7, "M", "Pass"),
            ("AAA", "2013J", 8, "M", "Withdrawn"),
            ("BBB", "2014B", 1, "F", "Distinction"),
            ("BBB", "2013J", 9, "F", "Pass"),
        ],
    ),
    "studentAssessment": (
        "id_assessment,id_student,date_submitted,is_banked,score",
        [
            (11, 1, 9, 0, 78),
            (11, 3, -1, 1, 80),  # carried over
            (11, 2, 15, 0, 50),  # on the day of the unregistration
            (12, 1, 24, 0, None),
            (12, 3, 300, 0, 30),  # long after the end
            (21, 1, 12, 0, 100),
        ],
    ),
}

CLICKS_HEADER = "code_module,code_presentation,id_student,id_site,date,sum_click"
CLICKS: list[Row] = [
    ("AAA", "2013J", 1, 501, -10, 4),
    ("AAA", "2013J", 1, 502, 3, 7),
    ("AAA", "2013J", 1, 502, 3, 7),  # an exact duplicate that belongs there
    ("BBB", "2014B", 1, 503, 0, 1),
    ("BBB", "2013J", 9, 504, 0, 2),
    ("AAA", "2013J", 2, 501, 14, 2),
    ("AAA", "2013J", 2, 501, 15, 2),  # cut: day of the unregistration
    ("AAA", "2013J", 2, 501, 30, 2),  # cut
    ("AAA", "2013J", 7, 501, 9, 1),  # kept: passed in the end
    ("AAA", "2013J", 3, 501, 5, 1),  # a day that is not in order
    ("AAA", "2013J", 3, 999, 40, 1),  # a site that vle does not list, on the last day
    ("BBB", "2014B", 1, 503, 29, 6),
]


def write_csv(folder: Path) -> Path:
    """The official form."""
    folder.mkdir(exist_ok=True)
    for name, (header, rows) in TABLES.items():
        _csv(folder / f"{name}.csv", header, rows)
    _csv(folder / "studentVle.csv", CLICKS_HEADER, CLICKS)
    return folder


def write_parquet(folder: Path, presentations: set[tuple[str, str]] | None = None) -> Path:
    """The partitioned form; with `presentations`, only their click files."""
    folder.mkdir(exist_ok=True)
    for name, (header, rows) in TABLES.items():
        pq.write_table(_table(header.split(","), rows), folder / f"{name}.parquet")
    for module, code in sorted({(row[0], row[1]) for row in CLICKS}):
        if presentations is None or (module, code) in presentations:
            part = folder / "studentVle_ds" / f"code_module={module}" / f"code_presentation={code}"
            part.mkdir(parents=True, exist_ok=True)
            rows = [row[2:] for row in CLICKS if row[:2] == (module, code)]
            pq.write_table(_table(CLICKS_HEADER.split(",")[2:], rows), part / "part-0.parquet")
    return folder


def _csv(path: Path, header: str, rows: list[Row]) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, quoting=csv.QUOTE_ALL)
        writer.writerow(header.split(","))
        writer.writerows([["?" if value is None else value for value in row] for row in rows])


def _table(names: list[str], rows: list[Row]) -> pa.Table:
    columns = zip(*rows, strict=True)
    arrays = [
        pa.array(values, pa.large_string())
        if name in WORDS
        else pa.array([None if value is None else float(value) for value in values], pa.float64())
        for name, values in zip(names, columns, strict=True)
    ]
    return pa.table(arrays, names=names)
