"""Day reports as records, and back.

A report grows with its partition's course runs and with the examples that a day matures, so a large one goes
in pieces (:mod:`engine.pieces`).
"""

import logging

from pydantic import ValidationError

from engine.pieces import IncompleteError, PieceAssembler, compress, decompress, piece_of, records_of
from schemas.learning import DayReport

log = logging.getLogger(__name__)


def records_of_report(report: DayReport) -> list[tuple[str, bytes]]:
    """The records of a report with their keys; those of pieces name the day, too."""
    raw = compress(report.model_dump_json().encode())
    return records_of(raw, str(report.partition), f"{report.partition}/{report.day}")


class ReportReader:
    """Reads the records of the day reports, those of several partitions in any mixture."""

    def __init__(self) -> None:
        self._gathering = PieceAssembler()

    def take(
        self, key: bytes | None, value: bytes | None, offset: int
    ) -> tuple[int | None, DayReport | None]:
        """The day that a record belongs to, and the report where it is there with this record.

        None for what is none: only workers publish here, so it is logged and left.
        """
        piece = piece_of(value or b"")
        if piece is None:
            report = _parse(value or b"")
            return (None, None) if report is None else (report.day, report)
        try:
            day = int((key or b"").split(b"/")[1])
        except (IndexError, ValueError):
            log.error("a record of the day reports is a piece of no day: its key is %r", (key or b"")[:60])
            return None, None
        whole = self._gathering.add(piece, day, offset)
        return day, None if whole is None else _parse(whole.payload)

    def forget(self, before: int) -> None:
        """Reports of days before this one are waited for no longer."""
        self._gathering.forget(before)


def _parse(kept: bytes) -> DayReport | None:
    try:
        return DayReport.model_validate_json(decompress(kept) if kept else kept)
    except IncompleteError as error:
        log.error("a record of the day reports is not one: %s", error)
    except ValidationError as error:
        log.error("a record of the day reports is not one: %s", error.errors(include_url=False)[0]["msg"])
    return None
