"""Counts fields of messages that are not in the contract, by name, so that they do not go unnoticed.

Such a field is misspelt or belongs to another version of the contract. The record is applied without it. The
counts are written once a day and partition (table ``unknown_fields``).

Names come from the platform, so their number is bounded: a field that has no plain name, or comes after the
first ``MAX_NAMES`` names of a day, is counted under ``others``.
"""

import re
from collections.abc import Iterable, Mapping
from datetime import date
from typing import Any

from pydantic_core import from_json

from engine.outputs import Columns
from schemas.enrolment import AssessedWork
from schemas.inbound import EVENT_CLASSES, FEEDBACK_CLASSES

MAX_NAMES = 64
OTHERS = "others"

_PLAIN = re.compile(r"[A-Za-z_][A-Za-z0-9_-]{0,47}")

_CONTRACT_FIELDS = {
    kind: frozenset(message.__annotations__)
    for classes in (EVENT_CLASSES, FEEDBACK_CLASSES)
    for kind, message in classes.items()
}
_DEADLINE_FIELDS = frozenset(AssessedWork.__annotations__)


def unknown_names(value: bytes) -> tuple[str, ...]:
    """Unknown fields of an accepted message's JSON, each as ``type.field``, sorted; usually none.

    Parts of it may be wrong: those that were repaired.
    """
    message: dict[str, Any] = from_json(value)
    kind = message["type"]
    names = {f"{kind}.{_plain(name)}" for name in message.keys() - _CONTRACT_FIELDS[kind]}
    deadlines = message["deadlines"] if kind == "calendar" else ()
    for deadline in (deadline for deadline in deadlines if isinstance(deadline, dict)):
        names |= {f"{kind}.deadlines.{_plain(name)}" for name in deadline.keys() - _DEADLINE_FIELDS}
    return tuple(sorted(names))


def _plain(name: str) -> str:
    return name if _PLAIN.fullmatch(name) else OTHERS


def count_names(counts: dict[str, int], names: Iterable[str], records: int = 1) -> None:
    """Add names to counts; names beyond the first ``MAX_NAMES`` are counted under ``others``."""
    for name in names:
        counted_name = name if name in counts or len(counts) < MAX_NAMES else OTHERS
        counts[counted_name] = counts.get(counted_name, 0) + records


def unknown_field_rows(counts: Mapping[str, int], day: date, partition: int, version: int) -> Columns:
    """The counts of a day as columns of the table ``unknown_fields``."""
    fields = sorted(counts)
    return {
        "day": [day] * len(fields),
        "field": fields,
        "partition": [partition] * len(fields),
        "records": [counts[name] for name in fields],
        "version": [version] * len(fields),
    }
