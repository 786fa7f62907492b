"""What can go wrong with a store: it is away (wait and send again), or it says no.

``codes.txt`` has a class for every code of ClickHouse's, with the reason: *passes* speaks of the server's
state and not of what was sent; *mendable* of something at the server that somebody has to put right, after
which the same batch is taken; *wrong* of what was sent. A code that is not listed is of a newer server: it
counts as one that passes, since waiting loses nothing and is seen, and ending neither mends nor shows more.
"""

import re
from functools import cache
from importlib import resources
from typing import Literal, get_args

from schemas.errors import HomeroomError

Class = Literal["passes", "mendable", "wrong"]


@cache
def classes() -> dict[int, Class]:
    """Every known code with its class."""
    found: dict[int, Class] = {}
    now: Class | None = None
    for line in (resources.files("sinks") / "codes.txt").read_text("utf-8").splitlines():
        head, _, rest = line.partition(" ")
        if head == "#":
            word = rest.partition(":")[0]
            now = next(one for one in get_args(Class) if one == word)
        elif head:
            if now is None or int(head) in found:
                raise ValueError(f"codes.txt: {line} has no class, or two")
            found[int(head)] = now
    return found


def class_of(code: int) -> Class:
    """The class of a code: *passes* where it is not known."""
    return classes().get(code, "passes")


class StoreError(HomeroomError):
    """Either of the two below, or that an embedded store does not start."""


class StoreDown(StoreError):  # noqa: N818 - a state, as "down" is
    """The store cannot be reached or cannot serve now. Nothing is lost: send the same batch again."""


class StoreRejected(StoreError):  # noqa: N818 - what became of the batch
    """The store or its client refused what was sent; sent again it is again, unless ``mendable``.

    ``code`` is ClickHouse's error code, None where the client refused before sending.
    """

    def __init__(self, words: str, *, table: str = "", column: str = "", code: int | None = None) -> None:
        self.words, self.table, self.column, self.code = words, table, column, code
        place = ".".join(part for part in (table, column) if part)
        said = f"code {code}: {words}" if code is not None else words
        super().__init__(f"{place}: {said}" if place else said)

    @property
    def mendable(self) -> bool:
        """Whether it is something at the store that has to be put right, and not what was sent."""
        return self.code is not None and class_of(self.code) == "mendable"


class RefusedError(HomeroomError):
    """The server says no: a ClickHouse error code and words for the client."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code


_COLUMN = re.compile(r"(?:Column |column )[\"'`]?(?P<name>\w+)")


def column_named_in(words: str) -> str:
    """The column that an error message speaks of, empty where it names none."""
    found = _COLUMN.search(words)
    return found["name"] if found else ""


def first_words(message: str) -> str:
    """A server's message without its stack trace and prefix, on one line."""
    text = message.partition("Stack trace:")[0].removeprefix("DB::Exception: ")
    return " ".join(text.split()).rstrip(". ")
