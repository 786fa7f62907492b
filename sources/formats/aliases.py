"""The alias table: other names of learners, course runs and objects, so that two systems mean the same one.

A CSV file with the columns ``what`` (learner, course_run, course, object), ``from`` and ``to``.
"""

import csv
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from schemas.errors import HomeroomError, one_line

COLUMNS = ("what", "from", "to")
KINDS = ("learner", "course_run", "course", "object")
_FIELDS = {"assessment": "object"} | {kind: kind for kind in KINDS}


class AliasError(HomeroomError, ValueError):
    """An alias table is not as expected; the message names the file, the line and what was expected."""


class Aliases:
    """By what is named: its name in a source → the name that is used instead."""

    def __init__(self, tables: Mapping[str, Mapping[str, str]] | None = None) -> None:
        self._tables = {kind: dict((tables or {}).get(kind, {})) for kind in KINDS}
        self._used = tuple(
            (field, self._tables[kind]) for field, kind in _FIELDS.items() if self._tables[kind]
        )

    def __bool__(self) -> bool:
        return bool(self._used)

    def apply(self, message: dict[str, Any]) -> None:
        """Replace the names in a message, in place."""
        for field, table in self._used:
            name = message.get(field)
            if name is not None and name in table:
                message[field] = table[name]
        for deadline in message.get("deadlines", ()):
            self.apply(deadline)


def read_aliases(file: Path) -> Aliases:
    """The table of a file.

    Raises:
        AliasError: it cannot be read, or a line is not as expected.
    """
    tables: dict[str, dict[str, str]] = {kind: {} for kind in KINDS}
    try:
        with file.open(encoding="utf-8-sig", newline="") as lines:
            reader = csv.DictReader(lines)
            if tuple(reader.fieldnames or ()) != COLUMNS:
                raise AliasError(
                    f"{file}: found {reader.fieldnames}; expected the columns {', '.join(COLUMNS)}"
                )
            for row in reader:
                what, old, new = (str(row[column] or "").strip() for column in COLUMNS)
                if what not in KINDS or not old or not new:
                    raise AliasError(
                        f"{file}:{reader.line_num}: found {what!r}, {old!r}, {new!r}; "
                        f"expected one of {', '.join(KINDS)}, and two names"
                    )
                tables[what][old] = new
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise AliasError(f"{file}: cannot be read: {one_line(error)}; expected CSV") from None
    return Aliases(tables)
