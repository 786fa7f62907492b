"""Who may import whom: the table of docs and design, and the walk that holds the code to it.

Reads source with ``ast`` and imports none of it, so that a package that is broken, or absent, is judged too.
What a module imports only for type checkers counts as an import of the table, but not as a way by which
a library gets loaded.
"""

import ast
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

MAY_IMPORT: dict[str, frozenset[str]] = {
    "schemas": frozenset(),
    "sources": frozenset({"schemas"}),
    "features": frozenset({"schemas"}),
    "online_models": frozenset({"schemas", "features"}),
    "nudges": frozenset({"schemas"}),
    "sinks": frozenset({"schemas"}),
    "grafana": frozenset(),
    "console": frozenset({"schemas", "sinks"}),
    "streams": frozenset(
        {
            "schemas",
            "sources",
            "features",
            "online_models",
            "nudges",
            "sinks",
            "grafana",
            "console",
            "evaluation",
        }
    ),
    "evaluation": frozenset(
        {
            "schemas",
            "sources",
            "streams",
            "features",
            "online_models",
            "nudges",
            "sinks",
            "grafana",
            "console",
        }
    ),
}
"""Package → the packages of ours that it may import, besides itself."""

SCHEMAS_LIBRARIES = frozenset({"pydantic", "pydantic_core", "annotated_types", "typing_extensions"})
"""The contract stands on pydantic alone; the others are pydantic's own."""

FAUST = frozenset({"faust", "mode"})
"""Only ``streams`` speaks Faust, and ``evaluation`` must not load it by any way."""

FAUST_PARTS = ("streams.app", "streams.transport", "streams.runner", "cli.main")
"""The parts of ``streams`` that ``evaluation`` must leave alone, by name; the rest is found by walking."""

PURE = ("features", "online_models", "nudges")
"""The middle: batches of events and a time in, outputs out."""

SHELL: dict[str, str] = {
    "notifier": "the one part of nudges that talks to the outside, a package",
    "features.document": "writes the docs' table, no part of the pipeline",
}
"""Modules and packages of the middle that are not pure, each with the reason."""

PURE_NEVER_IMPORTS = FAUST | {"aiokafka", "confluent_kafka", "clickhouse_driver", "chdb"}

PURE_NEVER_CALLS = frozenset(
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


@dataclass(frozen=True, slots=True)
class Import:
    """One import statement's one target, by its full dotted name."""

    target: str
    line: int
    for_types: bool

    @property
    def package(self) -> str:
        return self.target.partition(".")[0]


@dataclass(frozen=True, slots=True)
class Module:
    """One source file: its dotted name, its place and its syntax."""

    name: str
    path: Path
    tree: ast.Module

    @property
    def package(self) -> str:
        return self.name.partition(".")[0]


def modules(root: Path, packages: tuple[str, ...] = tuple(MAY_IMPORT)) -> dict[str, Module]:
    """Dotted name → module, of every Python file of the packages below ``root``."""
    found = {}
    for package in packages:
        for path in sorted((root / package).rglob("*.py")):
            parts = path.relative_to(root).with_suffix("").parts
            name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
            found[name] = Module(name, path.relative_to(root), ast.parse(path.read_text(encoding="utf-8")))
    return found


def imports(module: Module) -> Iterator[Import]:
    """Every import of the module, those inside functions too; relative ones by their full name."""
    typed = {id(inner) for node in ast.walk(module.tree) if _for_types(node) for inner in ast.walk(node)}
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Import):
            for name in node.names:
                yield Import(name.name, node.lineno, id(node) in typed)
        elif isinstance(node, ast.ImportFrom):
            base = _base(module, node)
            for name in node.names:
                yield Import(f"{base}.{name.name}", node.lineno, id(node) in typed)


def _for_types(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and ast.unparse(node.test) in ("TYPE_CHECKING", "typing.TYPE_CHECKING")


def _base(module: Module, node: ast.ImportFrom) -> str:
    """The full name that ``from … import`` starts at."""
    if not node.level:
        return node.module or ""
    parts = module.name.split(".")
    parts = parts[: len(parts) - node.level + (module.path.name == "__init__.py")]
    return ".".join([*parts, *([node.module] if node.module else [])])


def violations(root: Path) -> list[str]:
    """Every breach of the rules below ``root``: ``file:line``, the import or call, and what is allowed."""
    found = modules(root)
    return [
        *(breach for module in found.values() for breach in _table(module)),
        *(breach for module in found.values() if _is_pure(module) for breach in _purity(module)),
        *_faust_reached(found),
    ]


def _is_pure(module: Module) -> bool:
    return module.package in PURE and not SHELL.keys() & {module.name, *_above(module.name)}


def _table(module: Module) -> Iterator[str]:
    allowed = MAY_IMPORT[module.package] | {module.package}
    for found in imports(module):
        place = f"{module.path}:{found.line}: {module.package} imports {found.target}"
        if found.package in MAY_IMPORT and found.package not in allowed:
            yield f"{place}; of ours it may import {_listed(MAY_IMPORT[module.package])}"
        if found.package in FAUST and module.package != "streams":
            yield f"{place}; Faust is for streams alone"
        if module.package == "schemas" and _is_library(found) and found.package not in SCHEMAS_LIBRARIES:
            yield f"{place}; schemas may import {_listed(SCHEMAS_LIBRARIES)}"


def _is_library(found: Import) -> bool:

    return found.package not in MAY_IMPORT and found.package not in sys.stdlib_module_names


def _listed(names: frozenset[str]) -> str:
    return ", ".join(sorted(names)) or "nothing"


def _purity(module: Module) -> Iterator[str]:
    for found in imports(module):
        if found.package in PURE_NEVER_IMPORTS:
            yield (
                f"{module.path}:{found.line}: {module.package} imports {found.target}; "
                f"the pure middle imports none of {_listed(PURE_NEVER_IMPORTS)}"
            )
    names = _names(module)
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Call) and (called := _called(node, names)):
            yield (
                f"{module.path}:{node.lineno}: {module.package} calls {called}(); "
                "the pure middle has neither clock nor files: take the time, or the text, as an argument"
            )


def _names(module: Module) -> dict[str, str]:
    """Local name → full dotted name, of everything imported."""
    known = {}
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Import):
            for name in node.names:
                local = name.asname or name.name.partition(".")[0]
                known[local] = name.name if name.asname else local
        elif isinstance(node, ast.ImportFrom):
            for name in node.names:
                known[name.asname or name.name] = f"{_base(module, node)}.{name.name}"
    return known


def _called(node: ast.Call, names: dict[str, str]) -> str | None:
    """The forbidden thing that the call calls, or None."""
    if isinstance(node.func, ast.Attribute) and node.func.attr in FILE_METHODS:
        return node.func.attr
    head, _, rest = ast.unparse(node.func).partition(".")
    full = ".".join([names.get(head, head), *([rest] if rest else [])])
    return full if full in PURE_NEVER_CALLS else None


def _faust_reached(found: dict[str, Module]) -> Iterator[str]:
    """Ways by which a module of ``evaluation`` loads Faust, or one of its parts."""
    for module in found.values():
        if module.package == "evaluation" and (way := _way_to_faust(found, module.name)):
            first = next(
                (
                    it.line
                    for it in imports(module)
                    if len(way) > 1 and way[1] in (it.target, *_above(it.target))
                ),
                1,
            )
            yield (
                f"{module.path}:{first}: evaluation reaches {way[-1]} by {' → '.join(way)}; "
                "it may import all but streams' Faust parts"
            )


def _way_to_faust(found: dict[str, Module], start: str) -> tuple[str, ...] | None:
    """The shortest chain of imports from ``start`` to Faust or a Faust part, or None."""
    ways: list[tuple[str, ...]] = [(start,)]
    seen = {start}
    for way in ways:  # grows while it is walked: breadth first
        for target in _loads(found, way[-1]):
            if target in FAUST or target in FAUST_PARTS:
                return (*way, target)
            if target in found and target not in seen:
                seen.add(target)
                ways.append((*way, target))
    return None


def _loads(found: dict[str, Module], name: str) -> Iterator[str]:
    """What importing the module loads: its targets, and the packages above them, as Python does."""
    for it in imports(found[name]):
        if not it.for_types:
            yield from (it.target, *_above(it.target))


def _above(target: str) -> tuple[str, ...]:
    parts = target.split(".")
    return tuple(".".join(parts[:length]) for length in range(len(parts) - 1, 0, -1))
