"""What can go wrong with a store: it is away (wait and send again), or it says no (never will do)."""

import re

RETRYABLE = frozenset(
    {
        159,  # TIMEOUT_EXCEEDED
        202,  # TOO_MANY_SIMULTANEOUS_QUERIES
        209,  # SOCKET_TIMEOUT
        210,  # NETWORK_ERROR
        236,  # ABORTED: shutting down
        241,  # MEMORY_LIMIT_EXCEEDED
        242,  # TABLE_IS_READ_ONLY
        243,  # NOT_ENOUGH_SPACE
        252,  # TOO_MANY_PARTS
        319,  # UNKNOWN_STATUS_OF_INSERT: the same batch again is safe
        999,  # KEEPER_EXCEPTION
    }
)
"""ClickHouse's codes that speak of the server's state and not of what was sent: they pass."""


class StoreError(Exception):
    """Either of the two below, or that an embedded store does not start."""


class StoreDown(StoreError):  # noqa: N818 - a state, as "down" is
    """The store cannot be reached or cannot serve now. Nothing is lost: send the same batch again."""


class StoreRejected(StoreError):  # noqa: N818 - what became of the batch
    """The store or its client refused what was sent; sending it again will not help.

    ``code`` is ClickHouse's error code, None where the client refused before sending.
    """

    def __init__(self, words: str, *, table: str = "", column: str = "", code: int | None = None) -> None:
        self.words, self.table, self.column, self.code = words, table, column, code
        place = ".".join(part for part in (table, column) if part)
        said = f"code {code}: {words}" if code is not None else words
        super().__init__(f"{place}: {said}" if place else said)


class RefusedError(Exception):
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
