"""No file of code is longer than can be read at one sitting, and no function than fits on a screen."""

import ast

import pytest

from tests.test_imports import PACKAGES
from tests.test_repository import ROOT

MAX_FILE, MAX_FUNCTION = 400, 60
"""Lines, comments and blank ones included; a function's with its signature and docstring."""

CODE = [*PACKAGES, "benchmarks"]

LONG_FILES: dict[str, str] = {}
"""Files that may be longer, each with the reason."""

LONG_FUNCTIONS: dict[str, str] = {
    "streams/metrics.py Metrics.__init__": "declares every metric with its help text, and does nothing else",
}
"""Functions that may be longer, each with the reason."""


def code() -> dict[str, str]:
    """The source of every module of the packages and benchmarks, by its path in the repository."""
    files = (file for package in CODE for file in (ROOT / package).rglob("*.py"))
    return {file.relative_to(ROOT).as_posix(): file.read_text(encoding="utf-8") for file in sorted(files)}


def lengths(source: str) -> dict[str, int]:
    """Lines of every function in a module's source, methods and inner ones too, by its dotted name."""
    lengths: dict[str, int] = {}

    def visit(node: ast.AST, prefix: str) -> None:
        for child in ast.iter_child_nodes(node):
            inner = prefix
            if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
                inner = f"{prefix}{child.name}."
            if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef):
                lengths[inner.removesuffix(".")] = (child.end_lineno or 0) - child.lineno + 1
            visit(child, inner)

    visit(ast.parse(source), "")
    return lengths


def test_no_file_is_too_long() -> None:
    long = {path for path, source in code().items() if len(source.splitlines()) > MAX_FILE}
    assert long - LONG_FILES.keys() == set(), f"more than {MAX_FILE} lines: carve it along its subjects"


def test_no_function_is_too_long() -> None:
    long = {
        f"{path} {name}"
        for path, source in code().items()
        for name, lines in lengths(source).items()
        if lines > MAX_FUNCTION
    }
    assert long - LONG_FUNCTIONS.keys() == set(), f"more than {MAX_FUNCTION} lines"


def test_exceptions_name_what_is_there() -> None:
    sources = code()
    assert LONG_FILES.keys() <= sources.keys()
    named = [name.split(" ") for name in LONG_FUNCTIONS]
    assert [name for name in named if name[1] not in lengths(sources[name[0]])] == []


@pytest.mark.parametrize("kind", ["def", "async def"])
def test_lengths_are_of_methods_and_inner_functions_too(kind: str) -> None:
    source = f"class A:\n    {kind} one(self):\n        def two():\n            pass\n\n        return two\n"
    assert lengths(source) == {"A.one": 5, "A.one.two": 2}
