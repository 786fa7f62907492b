"""Finds calls by which a pure package would read a clock or a file. Reads source, imports none of it.

The import contracts in ``pyproject.toml`` keep libraries out; this keeps out what Python brings itself.
"""

import ast
from collections.abc import Iterator
from pathlib import Path

PURE = ("schemas", "features", "data_quality", "online_models", "nudges", "engine")

EXPORT = ("schemas/export.py",)
"""Writes the JSON Schemas: a tool of the repository, no part of the pipeline."""

FORBIDDEN_CALLS = frozenset(
    {
        "open",
        "time.time",
        "time.time_ns",
        "time.monotonic",
        "time.localtime",
        "time.gmtime",
        "datetime.datetime.now",
        "datetime.datetime.utcnow",
        "datetime.datetime.today",
        "datetime.date.today",
    }
)
FILE_METHODS = frozenset({"read_text", "read_bytes", "write_text", "write_bytes"})


def impure_calls(root: Path) -> list[str]:
    """``file:line: call`` for every call of a pure package that reads a clock or touches a file."""
    return [
        f"{path.relative_to(root)}:{line}: {called}()"
        for package in PURE
        for path in sorted((root / package).rglob("*.py"))
        if str(path.relative_to(root)) not in EXPORT
        for line, called in _calls(ast.parse(path.read_text(encoding="utf-8")))
    ]


def _calls(tree: ast.Module) -> Iterator[tuple[int, str]]:
    names = _full_names(tree)
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and (called := _forbidden(node, names)):
            yield node.lineno, called


def _full_names(tree: ast.Module) -> dict[str, str]:
    """Local name → full dotted name, of everything imported absolutely."""
    imported = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for name in node.names:
                local = name.asname or name.name.partition(".")[0]
                imported[local] = name.name if name.asname else local
        elif isinstance(node, ast.ImportFrom):
            for name in node.names:
                imported[name.asname or name.name] = f"{node.module}.{name.name}"
    return imported


def _forbidden(node: ast.Call, names: dict[str, str]) -> str | None:
    """The forbidden function that the call calls, or None."""
    if isinstance(node.func, ast.Attribute) and node.func.attr in FILE_METHODS:
        return node.func.attr
    head, _, rest = ast.unparse(node.func).partition(".")
    full = ".".join([names.get(head, head), *([rest] if rest else [])])
    return full if full in FORBIDDEN_CALLS else None
