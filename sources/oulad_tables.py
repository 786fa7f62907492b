"""Reading the OULAD tables: official CSV files or parquet, a presentation at a time, bounded memory.

Only columns and rows; ``sources.oulad`` turns them into events. The six small tables are held in memory
(a few MB). Clicks are read in batches ordered by day: files that are in that order (parquet as published
here is) are read directly; otherwise each presentation is sorted once into a temporary file. Memory is
bounded by one batch (16,384 rows, < 1 MB) a presentation while streaming, and by one presentation
(1.2 million rows are ≈ 50 MB) while sorting.
Measured on seven million rows in 15 presentations: 240 MB in all, from either format.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pv
import pyarrow.parquet as pq

from schemas.errors import HomeroomError

BATCH_ROWS = 16_384
CSV_BLOCK_BYTES = 1 << 20
MISSING = ["", "?"]
"""Missing values in the CSV files."""

TABLES: dict[str, tuple[str, ...]] = {
    "courses": ("code_module", "code_presentation", "module_presentation_length"),
    "vle": ("id_site", "code_module", "code_presentation", "activity_type"),
    "assessments": ("code_module", "code_presentation", "id_assessment", "date", "weight"),
    "studentRegistration": (
        "code_module",
        "code_presentation",
        "id_student",
        "date_registration",
        "date_unregistration",
    ),
    "studentInfo": ("code_module", "code_presentation", "id_student", "final_result"),
    "studentAssessment": ("id_assessment", "id_student", "date_submitted", "is_banked", "score"),
}
"""The columns that are read. The stream uses no demographics, so they are not among them."""

CLICKS = ("id_student", "id_site", "date", "sum_click")
TEXT_COLUMNS = frozenset({"code_module", "code_presentation", "activity_type", "final_result"})


class OuladError(HomeroomError, ValueError):
    """The folder is not OULAD; the message names table and column, the value and what was expected."""


class Presentation(NamedTuple):
    """A course run as OULAD names it, e.g. module BBB, code 2014B."""

    module: str
    code: str

    @property
    def course_run(self) -> str:
        return f"{self.module}/{self.code}"


@dataclass(frozen=True, slots=True)
class Clicks:
    """Click rows of one presentation, all columns [n]; days since its start, rows of the file from 1."""

    row: np.ndarray[Any, np.dtype[np.int64]]
    student: np.ndarray[Any, np.dtype[np.int64]]
    site: np.ndarray[Any, np.dtype[np.int64]]
    day: np.ndarray[Any, np.dtype[np.int64]]
    count: np.ndarray[Any, np.dtype[np.int64]]


class OuladTables:
    """The tables of one folder. Temporary files, where any are needed, are deleted with the object."""

    def __init__(self, folder: Path) -> None:
        """Locate the tables; columns are checked when a table is read.

        Raises:
            OuladError: the folder or a table is missing.
        """
        if not folder.is_dir():
            raise OuladError(f"{folder}: no such folder, expected one with the OULAD tables")
        self.folder = folder
        for name in TABLES:
            self._path(name)
        self._click_form = self._find_clicks()

    def table(self, name: str, presentation: Presentation | None = None) -> pa.Table:
        """The columns of a small table that ``TABLES`` lists; all rows, or those of `presentation`."""
        table = self._tables[name]
        if presentation is None:
            return table
        mask = pc.and_(
            pc.equal(table["code_module"], presentation.module),
            pc.equal(table["code_presentation"], presentation.code),
        )
        return table.filter(mask)

    def columns(self, name: str, columns: tuple[str, ...]) -> pa.Table:
        """Any columns of a small table with their own types, for audits that need more than the stream.

        Raises:
            OuladError: a column is missing.
        """
        path = self._path(name)
        table = (
            pq.read_table(path)
            if path.suffix == ".parquet"
            else pv.read_csv(
                path, convert_options=pv.ConvertOptions(null_values=MISSING, strings_can_be_null=True)
            )
        )
        _require(name, table.column_names, columns)
        return table.select(list(columns))

    @cached_property
    def presentations(self) -> tuple[Presentation, ...]:
        """The presentations of ``courses`` that have clicks, in alphabetical order.

        The first access reads all clicks once, to split them, where they are not partitioned.
        """
        courses = self.table("courses")
        listed = zip(
            courses["code_module"].to_pylist(), courses["code_presentation"].to_pylist(), strict=True
        )
        return tuple(sorted({Presentation(*pair) for pair in listed} & set(self._click_files)))

    def click_rows(self, presentation: Presentation) -> int:
        """The number of click rows, from the files' metadata."""
        return sum(pq.ParquetFile(path).metadata.num_rows for path in self._click_files[presentation])

    def clicks(self, presentation: Presentation) -> Iterator[Clicks]:
        """Click rows in batches, ordered by day and within a day as in the file."""
        files = self._click_files[presentation]
        if not _in_order(files):
            files = [self._sorted_file(presentation, files)]
            self._click_files[presentation] = files
        first = 1
        for batch in _batches(files):
            yield _click_columns(batch, first)
            first += batch.num_rows

    @cached_property
    def _tables(self) -> dict[str, pa.Table]:
        return {name: self._read(name, columns) for name, columns in TABLES.items()}

    def _path(self, name: str) -> Path:
        for suffix in (".parquet", ".csv"):
            path = self.folder / f"{name}{suffix}"
            if path.is_file():
                return path
        raise OuladError(f"{self.folder}: table {name} is missing, expected {name}.csv or {name}.parquet")

    def _find_clicks(self) -> Path:
        for name in ("studentVle_ds", "studentVle.parquet", "studentVle.csv"):
            if (self.folder / name).exists():
                return self.folder / name
        raise OuladError(
            f"{self.folder}: table studentVle is missing, expected studentVle.csv, studentVle.parquet "
            "or the folder studentVle_ds/code_module=…/code_presentation=…/"
        )

    def _read(self, name: str, columns: tuple[str, ...]) -> pa.Table:
        path = self._path(name)
        if path.suffix == ".parquet":
            _require(name, pq.read_schema(path).names, columns)
            table = pq.read_table(path, columns=list(columns))
        else:
            table = pa.Table.from_batches(_csv_batches(path, name, columns))
        return table.cast(_schema(columns))

    @cached_property
    def _click_files(self) -> dict[Presentation, list[Path]]:
        if self._click_form.is_dir():
            return _partition_files(self._click_form)
        return self._split(_unsplit_batches(self._click_form))

    @cached_property
    def _scratch(self) -> TemporaryDirectory[str]:
        return TemporaryDirectory(prefix="oulad-")

    def _split(self, batches: Iterable[pa.RecordBatch]) -> dict[Presentation, list[Path]]:
        """One pass over all clicks: a file for each presentation, its rows in their original order."""
        writers: dict[Presentation, pq.ParquetWriter] = {}
        files: dict[Presentation, list[Path]] = {}
        try:
            for batch in batches:
                for presentation, part in _by_presentation(pa.Table.from_batches([batch])):
                    if presentation not in writers:
                        path = Path(self._scratch.name) / f"{presentation.module}-{presentation.code}.parquet"
                        writers[presentation] = pq.ParquetWriter(path, part.schema)
                        files[presentation] = [path]
                    writers[presentation].write_table(part)
        finally:
            for writer in writers.values():
                writer.close()
        return files

    def _sorted_file(self, presentation: Presentation, files: list[Path]) -> Path:
        table = pa.concat_tables(pq.read_table(path, partitioning=None) for path in files)
        # The row's number is part of the event's id, so it is the number in the original file.
        table = table.append_column("row", pa.array(np.arange(1, table.num_rows + 1)))
        order = np.argsort(table["date"].to_numpy(), kind="stable")
        path = Path(self._scratch.name) / f"{presentation.module}-{presentation.code}-sorted.parquet"
        pq.write_table(table.take(pa.array(order)), path, row_group_size=BATCH_ROWS)
        return path


def numbers(table: pa.Table, column: str) -> np.ndarray[Any, np.dtype[np.float64]]:
    """A column [rows] as float64, NaN where missing."""
    return np.asarray(table[column].to_numpy(zero_copy_only=False), dtype=np.float64)


def whole_numbers(
    table: pa.Table | pa.RecordBatch, column: str, name: str
) -> np.ndarray[Any, np.dtype[np.int64]]:
    """A column [rows] of whole numbers as int64; the tables store them as floats.

    Raises:
        OuladError: a value is missing or not whole.
    """
    values = np.asarray(table[column].to_numpy(zero_copy_only=False), dtype=np.float64)
    wrong = np.flatnonzero(~(values == np.floor(values)))  # NaN equals nothing, so it is bad too
    if wrong.size:
        shown = "missing" if np.isnan(values[wrong[0]]) else repr(float(values[wrong[0]]))
        raise OuladError(f"{name}.{column}: {shown} in row {wrong[0] + 1}, expected a whole number")
    return values.astype(np.int64)


def _schema(columns: Iterable[str]) -> pa.Schema:
    return pa.schema([(name, pa.string() if name in TEXT_COLUMNS else pa.float64()) for name in columns])


def _require(name: str, present: Iterable[str], columns: Iterable[str]) -> None:
    for column in columns:
        if column not in present:
            raise OuladError(f"{name}: column {column} is missing, found {', '.join(present)}")


def _csv_batches(path: Path, name: str, columns: tuple[str, ...]) -> Iterator[pa.RecordBatch]:
    """The file's batches; only one block of it is in memory at a time."""
    schema = _schema(columns)
    with path.open(encoding="utf-8-sig") as lines:
        _require(name, [word.strip().strip('"') for word in lines.readline().split(",")], columns)
    convert = pv.ConvertOptions(
        column_types=schema, include_columns=list(columns), null_values=MISSING, strings_can_be_null=True
    )
    try:
        with pv.open_csv(
            path, read_options=pv.ReadOptions(block_size=CSV_BLOCK_BYTES), convert_options=convert
        ) as reader:
            yield from reader
    except pa.ArrowInvalid as error:
        raise OuladError(f"{name}: {error}") from None


def _unsplit_batches(path: Path) -> Iterator[pa.RecordBatch]:
    columns = (*CLICKS, "code_module", "code_presentation")
    if path.suffix == ".csv":
        yield from _csv_batches(path, "studentVle", columns)
        return
    file = pq.ParquetFile(path)
    _require("studentVle", file.schema_arrow.names, columns)
    for batch in file.iter_batches(BATCH_ROWS, use_threads=False, columns=list(columns)):
        yield batch.cast(_schema(batch.schema.names))


def _by_presentation(table: pa.Table) -> Iterator[tuple[Presentation, pa.Table]]:
    pairs = table.select(["code_module", "code_presentation"]).group_by(
        ["code_module", "code_presentation"], use_threads=False
    )
    for row in pairs.aggregate([]).to_pylist():
        presentation = Presentation(row["code_module"], row["code_presentation"])
        mask = pc.and_(
            pc.equal(table["code_module"], presentation.module),
            pc.equal(table["code_presentation"], presentation.code),
        )
        yield presentation, table.filter(mask).select(list(CLICKS))


def _partition_files(folder: Path) -> dict[Presentation, list[Path]]:
    files: dict[Presentation, list[Path]] = {}
    for path in sorted(folder.glob("code_module=*/code_presentation=*/*.parquet")):
        module, code = (part.partition("=")[2] for part in path.parts[-3:-1])
        _require(f"studentVle {module}/{code}", pq.read_schema(path).names, CLICKS)
        files.setdefault(Presentation(module, code), []).append(path)
    if not files:
        raise OuladError(f"{folder}: no parquet files in code_module=…/code_presentation=…/, expected some")
    return files


def _batches(files: Iterable[Path]) -> Iterator[pa.RecordBatch]:
    for path in files:
        file = pq.ParquetFile(path)
        columns = [*CLICKS, "row"] if "row" in file.schema_arrow.names else list(CLICKS)
        yield from file.iter_batches(BATCH_ROWS, use_threads=False, columns=columns)


def _in_order(files: Iterable[Path]) -> bool:
    latest = -np.inf
    for path in files:
        for batch in pq.ParquetFile(path).iter_batches(BATCH_ROWS, use_threads=False, columns=["date"]):
            days = whole_numbers(batch, "date", "studentVle")
            if len(days) and (days[0] < latest or (np.diff(days) < 0).any()):
                return False
            latest = float(days[-1]) if len(days) else latest
    return True


def _click_columns(batch: pa.RecordBatch, first: int) -> Clicks:
    row = (
        whole_numbers(batch, "row", "studentVle")
        if "row" in batch.schema.names
        else np.arange(first, first + batch.num_rows, dtype=np.int64)
    )
    student, site, day, count = (whole_numbers(batch, column, "studentVle") for column in CLICKS)
    out_of_range = np.flatnonzero((count < 1) | (count > 100_000))
    if out_of_range.size:
        raise OuladError(
            f"studentVle.sum_click: {count[out_of_range[0]]} in row {row[out_of_range[0]]} "
            "of its presentation, expected 1 to 100,000"
        )
    return Clicks(row, student, site, day, count)
