"""Errors of a store: it is unavailable (wait and send again), or it rejects what was sent.

``codes.txt`` has a class for every error code of ClickHouse, with the reason: *transient* errors come from
the server's state and pass by themselves; *repairable* ones come from the server as well, but somebody has to
repair it, after which the same batch is accepted; *permanent* ones come from what was sent. A code that is
not listed is a newer server's: it counts as transient, since waiting loses nothing and is visible.
"""

import re
from functools import cache
from importlib import resources
from typing import Literal, get_args

from schemas.errors import HomeroomError

ErrorClass = Literal["transient", "repairable", "permanent"]


@cache
def error_classes() -> dict[int, ErrorClass]:
    """The class of every listed code.

    Raises:
        ValueError: ``codes.txt`` lists a code twice, or outside of a class.
    """
    classes: dict[int, ErrorClass] = {}
    current: ErrorClass | None = None
    for line in (resources.files("sinks") / "codes.txt").read_text("utf-8").splitlines():
        head, _, rest = line.partition(" ")
        if head == "#":
            name = rest.partition(":")[0]
            current = next(error_class for error_class in get_args(ErrorClass) if error_class == name)
        elif head:
            if current is None or int(head) in classes:
                raise ValueError(f"codes.txt: {line} has no class, or two")
            classes[int(head)] = current
    return classes


def error_class_of(code: int) -> ErrorClass:
    """The class of a code, *transient* where it is not listed."""
    return error_classes().get(code, "transient")


class StoreError(HomeroomError):
    """Base of the store's errors: :class:`StoreDown`, :class:`StoreRejected`, or a failed start."""


class StoreDown(StoreError):  # noqa: N818 - a state, as "down" is
    """The store cannot be reached, or cannot serve now. Nothing is lost: send the same batch again."""


class StoreRejected(StoreError):  # noqa: N818 - what became of the batch
    """The store or its client rejected what was sent, and always will, unless the error is ``repairable``.

    ``code`` is ClickHouse's error code, None where the client rejected it before sending.
    """

    def __init__(self, message: str, *, table: str = "", column: str = "", code: int | None = None) -> None:
        self.message, self.table, self.column, self.code = message, table, column, code
        column_path = ".".join(part for part in (table, column) if part)
        text = f"code {code}: {message}" if code is not None else message
        super().__init__(f"{column_path}: {text}" if column_path else text)

    @property
    def repairable(self) -> bool:
        """Whether the cause is at the store and has to be repaired there, rather than in what was sent."""
        return self.code is not None and error_class_of(self.code) == "repairable"


class RefusedError(HomeroomError):
    """The embedded store's refusal of a statement: a ClickHouse error code and a message for the client."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code


_COLUMN = re.compile(r"(?:Column |column )[\"'`]?(?P<name>\w+)")


def column_in_message(message: str) -> str:
    """The column that an error message names, empty where it names none."""
    match = _COLUMN.search(message)
    return match["name"] if match else ""


def first_line(message: str) -> str:
    """A server's message without its stack trace and prefix, on one line."""
    text = message.partition("Stack trace:")[0].removeprefix("DB::Exception: ")
    return " ".join(text.split()).rstrip(". ")
