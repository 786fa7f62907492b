"""Day reports as records, and records as day reports.

A report grows with its partition's course runs and with the examples that mature on a day, so a large one is
sent in pieces (:mod:`engine.pieces`).
"""

import logging

from pydantic import ValidationError

from engine.pieces import IncompleteError, PieceAssembler, compress, decompress, piece_of, records_of
from schemas.learning import DayReport

log = logging.getLogger(__name__)


def report_records(report: DayReport) -> list[tuple[str, bytes]]:
    """The records of a report, each as its key and value; the keys of pieces contain the day, too."""
    raw = compress(report.model_dump_json().encode())
    return records_of(raw, str(report.partition), f"{report.partition}/{report.day}")


class ReportReader:
    """Parses records of the day reports; those of several partitions may be interleaved."""

    def __init__(self) -> None:
        self._pieces = PieceAssembler()

    def read(
        self, key: bytes | None, value: bytes | None, offset: int
    ) -> tuple[int | None, DayReport | None]:
        """Return the day of a record, and its report where this record completes it.

        A record that is no part of a report is logged and skipped, (None, None): only workers publish here.
        """
        piece = piece_of(value or b"")
        if piece is None:
            report = _parse(value or b"")
            return (None, None) if report is None else (report.day, report)
        try:
            day = int((key or b"").split(b"/")[1])
        except (IndexError, ValueError):
            log.error("a piece of a day report has the invalid key %r", (key or b"")[:60])
            return None, None
        whole = self._pieces.add(piece, day, offset)
        return day, None if whole is None else _parse(whole.payload)

    def forget_before(self, day: int) -> None:
        """Drop incomplete reports of days before this one."""
        self._pieces.forget(day)


def _parse(payload: bytes) -> DayReport | None:
    try:
        return DayReport.model_validate_json(decompress(payload) if payload else payload)
    except IncompleteError as error:
        log.error("an invalid record of the day reports: %s", error)
    except ValidationError as error:
        log.error("an invalid record of the day reports: %s", error.errors(include_url=False)[0]["msg"])
    return None
