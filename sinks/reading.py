"""Limits for readers of a store: statements that read tables, within limits of memory, time and size.

Access rights are enforced by the engine (``access.xml`` here, ``clickhouse/users.d`` for a server). This has
the limits, and for the embedded store two checks for which its engine has no right: which kinds of statement
may run, and the function ``file``, which the engine allows outside of a server. Pure.
"""

import re
from collections.abc import Mapping

from sinks.errors import RefusedError

READER = "reader"
"""The read-only user, and its role in the engine."""

LIMITS = {
    "max_memory_usage": 2_000_000_000,  # bytes a query
    "max_execution_time": 60,  # seconds
    "max_result_rows": 5_000_000,
    "max_result_bytes": 500_000_000,  # the embedded store holds an answer whole before it sends it
}
"""The most that one query of a reader may use. A query may set a lower limit, never a higher one."""

FIXED = {
    "result_overflow_mode": "throw",  # half an answer would look like a whole one
    "timeout_overflow_mode": "throw",
    "max_untracked_memory": "4194304",
    "dialect": "clickhouse",
}
"""Settings that the limits, and the check of a statement, depend on."""

READ_STATEMENTS = ("SELECT", "WITH", "SHOW", "DESCRIBE", "EXISTS", "EXPLAIN")
"""First keywords of statements that only read, in the engine's canonical form."""

_STRING = re.compile(r"'(?:[^'\\]|\\.)*'", re.DOTALL)
_FILE_ACCESS = re.compile(r"\bfile\b|\b(?:INTO OUTFILE|FROM INFILE)\b")
"""The function ``file``, called or applied to columns, and clauses for files of the client."""


def bounded_settings(settings: Mapping[str, str]) -> dict[str, str]:
    """A reader's settings, within the limits."""
    bounds = {name: _bounded(settings.get(name, ""), most) for name, most in LIMITS.items()}
    return {name: value for name, value in settings.items() if name != "readonly"} | bounds | FIXED


def _bounded(requested: str, most: int) -> str:
    """The requested limit where it is one and not above ``most``; 0 would mean no limit."""
    return (
        requested if requested.isascii() and requested.isdigit() and 0 < int(requested) <= most else str(most)
    )


def check_reads(canonical: str) -> None:
    """Check that a statement only reads tables.

    canonical: in the form that the engine itself writes (``formatQuerySingleLine``), so that neither comments
    nor escapes hide anything.

    Raises:
        RefusedError: it is of another kind (164), or calls a function that reaches beyond tables (497).
    """
    kind = canonical.lstrip("(").partition(" ")[0]
    if kind not in READ_STATEMENTS:
        raise RefusedError(
            164, f"Cannot execute {kind} in readonly mode: a reader may {', '.join(READ_STATEMENTS)}"
        )
    if match := _FILE_ACCESS.search(_STRING.sub("''", canonical)):
        raise RefusedError(497, f"{READER}: Not enough privileges: {match[0]} is for files, not for tables")
