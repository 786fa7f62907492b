"""Inspects a statement's text for the gateway: one statement or several, an insert or not, its format.

The engine parses SQL; this only finds what a client of the native protocol handles itself before sending
(several statements, ``FORMAT``, files), and ignores strings and comments. Pure.
"""

import re
from dataclasses import dataclass

from sinks.errors import RefusedError

_OPAQUE = re.compile(
    r"'(?:[^'\\]|\\.)*'"  # a string; '' within one reads as two strings, which does as well
    r'|"(?:[^"\\]|\\.)*"'
    r"|`(?:[^`\\]|\\.)*`"
    r"|\$(?P<tag>\w*)\$.*?\$(?P=tag)\$"
    r"|--[^\n]*|\#[ !][^\n]*"
    r"|/\*.*?\*/",
    re.DOTALL,
)
_FORMAT = re.compile(r"\bFORMAT\s+\w+\s*$", re.IGNORECASE)
_OUTPUT_FORMAT = re.compile(r"\bFORMAT\s+(?P<name>\w+)\s*(?:\bSETTINGS\b[^;]*)?[;\s]*$", re.IGNORECASE)
_FILE = re.compile(r"\b(INTO\s+OUTFILE|FROM\s+INFILE)\b", re.IGNORECASE)
_NAME = r"(?:\w+|`[^`]+`|\"[^\"]+\")"
_INSERT = re.compile(
    rf"\s*INSERT\s+INTO\s+(?:TABLE\s+)?(?P<table>{_NAME}(?:\.{_NAME})?)\s*"
    r"(?:\((?P<columns>[^()]*)\)\s*)?(?:SETTINGS\s(?P<settings>[^()]*?))?\s*(?:VALUES|FORMAT\s+\w+)\s*",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Insert:
    """An INSERT whose rows follow as blocks."""

    target: str
    """``INSERT INTO`` with the table and, if they are named, its columns."""

    settings: str
    """The text after ``SETTINGS``, empty without any."""

    select: str
    """A SELECT of the columns to be inserted."""

    def from_file(self, path: str) -> str:
        """The statement that inserts the rows of a file of Native blocks.

        In one thread, since deduplication tokens number the blocks of a batch; and synchronously, since rows
        must be in the table when the client gets its answer.
        """
        settings = ", ".join(filter(None, [self.settings, "max_insert_threads = 1, async_insert = 0"]))
        return f"{self.target} FROM INFILE '{path}' SETTINGS {settings} FORMAT Native"


def one_statement(sql: str) -> str:
    """The statement without a closing semicolon.

    Raises:
        RefusedError: there are several statements (62), or it reads or writes a file of this machine (358).
    """
    bare = _OPAQUE.sub(lambda match: " " * len(match[0]), sql)
    end = bare.find(";")
    if end >= 0:
        if bare[end:].strip("; \t\r\n"):
            raise RefusedError(62, "Syntax error: one statement at a time, found another after ';'")
        sql, bare = sql[:end], bare[:end]
    if match := _FILE.search(bare):
        raise RefusedError(
            358, f"{match[1].upper()} is for clients with files of their own, not for this store"
        )
    return sql


def without_format(sql: str) -> str:
    """The statement without a trailing ``FORMAT name``: rows are sent as Native in any case."""
    bare = _OPAQUE.sub(lambda match: " " * len(match[0]), sql)
    match = _FORMAT.search(bare)
    return sql[: match.start()] if match else sql


def output_format(sql: str) -> str | None:
    """The name of the output format that a query requests, None where it requests none.

    >>> output_format("SELECT 'FORMAT Null' FORMAT CSV SETTINGS max_threads = 1; -- FORMAT TSV")
    'CSV'
    """
    match = _OUTPUT_FORMAT.search(_OPAQUE.sub(lambda opaque: " " * len(opaque[0]), sql))
    return match["name"] if match else None


def as_insert(sql: str) -> Insert | None:
    """The statement as an insert whose blocks follow, None where it is none.

    >>> as_insert("INSERT INTO t (a, b) VALUES").select
    'SELECT a, b FROM t'
    """
    match = _INSERT.fullmatch(sql)
    if match is None:
        return None
    table, columns, settings = match["table"], match["columns"], match["settings"] or ""
    listed = f" ({columns})" if columns else ""
    select = f"SELECT {columns or '*'} FROM {table}"  # noqa: S608 - the client's own words
    return Insert(f"INSERT INTO {table}{listed}", settings.strip(), select)
