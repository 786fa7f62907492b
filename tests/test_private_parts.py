"""Private parts of other libraries are used in one module for each, and those libraries are pinned."""

import ast
import importlib
import inspect
import tomllib
from itertools import chain
from pathlib import Path

import pytest

from cli.pins import Pin, pins
from tests.test_imports import PACKAGES

ROOT = Path(__file__).parents[1]

INTERNALS = {
    "streams/faust_internals.py": "faust-streaming",
    "streams/aiokafka_internals.py": "aiokafka",
    "sinks/native.py": "clickhouse-driver",
    "notifier/apprise_internals.py": "apprise",
    "online_models/river_internals.py": "river",
}
"""Module → the library whose private parts it may use."""

UNDOCUMENTED = {
    "apprise.plugins": "notifier/apprise_internals.py",
    "clickhouse_driver.": "sinks/native.py",
    "aiokafka.consumer.": "streams/aiokafka_internals.py",
}
"""Start of a module's name → where alone it may be imported, although no underscore says so."""

PUBLIC = {"_replace", "_asdict", "_exit", "_PARTITION_EOF"}
"""Documented names that begin with an underscore: of named tuples, ``os`` and confluent-kafka."""

DOCUMENTATION = {"cli/document.py": {"_labelnames"}}
"""The docs of metrics name their labels, which prometheus-client keeps to itself. Only the docs need it."""


def sources() -> dict[str, ast.Module]:
    return {
        path.relative_to(ROOT).as_posix(): ast.parse(path.read_text(encoding="utf-8"))
        for package in PACKAGES
        for path in sorted((ROOT / package).rglob("*.py"))
    }


def is_private(name: str) -> bool:
    return name.startswith("_") and not name.startswith("__") and name not in PUBLIC


def defined(tree: ast.Module) -> set[str]:
    """Every name that a module defines or assigns, as a variable, a field or a method."""
    names: set[str] = set()
    for node in ast.walk(tree):
        match node:
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
                names.add(name)
            case ast.Attribute(value=ast.Name(id="self" | "cls"), attr=name, ctx=ast.Store()):
                names.add(name)
            case ast.Name(id=name, ctx=ast.Store()):
                names.add(name)
    return names


def used(tree: ast.Module) -> list[str]:
    """Private names that a module uses and does not define, as ``line: name``."""
    own = defined(tree)
    return [
        f"{node.lineno}: {ast.unparse(node)}"
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and is_private(node.attr) and node.attr not in own
    ]


def imported(tree: ast.Module) -> list[str]:
    """Full names of what a module imports."""
    names: list[str] = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and not node.level:
            names += [f"{node.module}.{alias.name}" for alias in node.names]
    return names


def test_private_names_are_used_in_one_module_for_each_library() -> None:
    found = {
        name: [use for use in used(tree) if use.rpartition(".")[2] not in DOCUMENTATION.get(name, ())]
        for name, tree in sources().items()
        if name not in INTERNALS
    }
    assert {name: uses for name, uses in found.items() if uses} == {}


def test_private_and_undocumented_modules_are_imported_in_one_module_for_each_library() -> None:
    wrong = [
        (name, module)
        for name, tree in sources().items()
        for module in imported(tree)
        if (any(map(is_private, module.split("."))) and name not in INTERNALS)
        or any(
            module.startswith(start) and name != where and ".errors" not in module
            for start, where in UNDOCUMENTED.items()
        )
    ]
    ours = [(name, module) for name, module in wrong if module.split(".")[0] not in PACKAGES]
    assert [(name, module) for name, module in ours if module.count(".") > 1] == []


def test_private_methods_of_other_libraries_are_overridden_there_alone() -> None:
    found = []
    for name in sources():
        if name in INTERNALS or name.endswith("__main__.py"):
            continue
        module = importlib.import_module(name.removesuffix(".py").replace("/", ".").removesuffix(".__init__"))
        for title, made in inspect.getmembers(module, inspect.isclass):
            if made.__module__ == module.__name__:
                foreign = [base for base in made.__mro__ if base.__module__.split(".")[0] not in PACKAGES]
                found += [
                    f"{name}: {title}.{part}"
                    for part, value in vars(made).items()
                    if is_private(part) and inspect.isfunction(value) and value.__module__ == module.__name__
                    if any(part in vars(base) for base in foreign)
                ]
    assert found == []


def test_each_of_these_libraries_is_pinned_to_one_release() -> None:
    """And the module says for which one it was written."""
    releases = {pin.package: pin.release for pin in pins()}
    for name, library in INTERNALS.items():
        assert releases[library] in (ROOT / name).read_text(encoding="utf-8").split('"""')[1], name


def test_the_installed_releases_are_the_pinned_ones() -> None:
    assert [pin for pin in pins() if pin.is_broken] == []
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    wanted = [*project["dependencies"], *chain(*project["optional-dependencies"].values())]
    assert {f"{pin.package}=={pin.release}" for pin in pins()} == {text for text in wanted if "==" in text}


@pytest.mark.parametrize(
    ("installed", "optional", "broken"),
    [
        ("1.0", False, False),
        ("1.1", False, True),
        (None, False, True),
        (None, True, False),
        ("1.1", True, True),
    ],
)
def test_another_release_breaks_a_pin(installed: str | None, optional: bool, broken: bool) -> None:
    assert Pin("library", "1.0", installed, optional).is_broken is broken
