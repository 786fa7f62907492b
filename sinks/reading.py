"""What a reader may ask of a store: statements that read tables, within bounds of memory, time and size.

Rights are the engine's to enforce (``access.xml`` here, ``clickhouse/users.d`` for a server). This has the
bounds, and for the embedded store the two things that its engine has no right for: which kinds of statement
run, and a function that reads files wherever the engine is in a process of its own. Pure.
"""

import re
from collections.abc import Mapping

from sinks.errors import RefusedError

READER = "reader"
"""The user, and the role in the engine, that reads and does nothing else."""

LIMITS = {
    "max_memory_usage": 2_000_000_000,  # bytes a query
    "max_execution_time": 60,  # seconds
    "max_result_rows": 5_000_000,
    "max_result_bytes": 500_000_000,  # the embedded store holds an answer whole before it sends it
}
"""What one query of a reader may take. A query may ask for less, never for more."""

FIXED = {
    "result_overflow_mode": "throw",  # half an answer would look like a whole one
    "timeout_overflow_mode": "throw",
    "max_untracked_memory": "4194304",
    "dialect": "clickhouse",
}
"""What the bounds, and the look at a statement, rest on."""

KINDS = ("SELECT", "WITH", "SHOW", "DESCRIBE", "EXISTS", "EXPLAIN")
"""How statements begin, in the engine's own form, that only read."""

_STRING = re.compile(r"'(?:[^'\\]|\\.)*'", re.DOTALL)
_FILES = re.compile(r"\bfile\b|\b(?:INTO OUTFILE|FROM INFILE)\b")
"""The function, called or applied to columns, and what a client does with files of its own."""


def limited(settings: Mapping[str, str]) -> dict[str, str]:
    """A reader's settings as they are applied: its own, within the bounds."""
    bounds = {name: _lower(settings.get(name, ""), most) for name, most in LIMITS.items()}
    return {name: value for name, value in settings.items() if name != "readonly"} | bounds | FIXED


def _lower(asked: str, most: int) -> str:
    """The bound that was asked for, where it is one and not above ours: 0 is for none."""
    return asked if asked.isascii() and asked.isdigit() and 0 < int(asked) <= most else str(most)


def check_reads(canonical: str) -> None:
    """Let a statement pass that reads tables.

    canonical: as the engine itself writes it (``formatQuerySingleLine``), so that neither comments nor
    escapes hide anything.

    Raises:
        RefusedError: it is of another kind (164), or calls a function that reaches beyond tables (497).
    """
    kind = canonical.lstrip("(").partition(" ")[0]
    if kind not in KINDS:
        raise RefusedError(164, f"Cannot execute {kind} in readonly mode: a reader may {', '.join(KINDS)}")
    if found := _FILES.search(_STRING.sub("''", canonical)):
        raise RefusedError(497, f"{READER}: Not enough privileges: {found[0]} is for files, not for tables")
