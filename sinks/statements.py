"""What the gateway must know of a statement's text, and no more: one or many, an insert or not.

The engine parses SQL; this only finds what a client of the native protocol would have dealt with
before sending (several statements, ``FORMAT``, files), looking past strings and comments. Pure.
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
_ASKED = re.compile(r"\bFORMAT\s+(?P<name>\w+)\s*(?:\bSETTINGS\b[^;]*)?[;\s]*$", re.IGNORECASE)
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
    """``INSERT INTO`` with the table and, where they are named, its columns."""

    settings: str
    """What stood after ``SETTINGS``, empty where nothing did."""

    select: str
    """A SELECT that answers with the columns to be inserted."""

    def from_file(self, path: str) -> str:
        """The statement that inserts the rows of a file of Native blocks.

        In one thread, since tokens number the blocks of a batch; and not later, since what is answered
        must be in the table.
        """
        settings = ", ".join(filter(None, [self.settings, "max_insert_threads = 1, async_insert = 0"]))
        return f"{self.target} FROM INFILE '{path}' SETTINGS {settings} FORMAT Native"


def one_statement(sql: str) -> str:
    """The statement without a closing semicolon.

    Raises:
        RefusedError: there are several (62), or it reads or writes a file of this machine (358).
    """
    bare = _OPAQUE.sub(lambda found: " " * len(found[0]), sql)
    end = bare.find(";")
    if end >= 0:
        if bare[end:].strip("; \t\r\n"):
            raise RefusedError(62, "Syntax error: one statement at a time, found another after ';'")
        sql, bare = sql[:end], bare[:end]
    if found := _FILE.search(bare):
        raise RefusedError(
            358, f"{found[1].upper()} is for clients with files of their own, not for this store"
        )
    return sql


def without_format(sql: str) -> str:
    """The statement without a trailing ``FORMAT name``: rows travel as Native, whatever it says."""
    bare = _OPAQUE.sub(lambda found: " " * len(found[0]), sql)
    found = _FORMAT.search(bare)
    return sql[: found.start()] if found else sql


def asked_format(sql: str) -> str | None:
    """The name of the format that a query asks for, if it does.

    >>> asked_format("SELECT 'FORMAT Null' FORMAT CSV SETTINGS max_threads = 1; -- FORMAT TSV")
    'CSV'
    """
    found = _ASKED.search(_OPAQUE.sub(lambda opaque: " " * len(opaque[0]), sql))
    return found["name"] if found else None


def as_insert(sql: str) -> Insert | None:
    """The statement as an insert that waits for blocks, or None.

    >>> as_insert("INSERT INTO t (a, b) VALUES").select
    'SELECT a, b FROM t'
    """
    found = _INSERT.fullmatch(sql)
    if found is None:
        return None
    table, columns, settings = found["table"], found["columns"], found["settings"] or ""
    listed = f" ({columns})" if columns else ""
    select = f"SELECT {columns or '*'} FROM {table}"  # noqa: S608 - the client's own words
    return Insert(f"INSERT INTO {table}{listed}", settings.strip(), select)
