"""Where our code may delete, rename or overwrite: in a few modules that look before they do."""

import ast
from pathlib import Path

import pytest

from tests.test_imports import PACKAGES

ROOT = Path(__file__).parent.parent

ALLOWED = {
    "output/files.py": "files that a command writes: new ones, or replaced with --force",
    "output/folders.py": "folders that we marked as ours",
    "local/brokers.py": "a temporary folder, or one held; Kafka's jars, copied beside and renamed",
    "local/rig.py": "its workers' logs, appended to in a folder held",
    "schemas/export.py": "generated files of the repository",
    "cli/feature_table.py": "generated files of the repository",
    "cli/document.py": "generated files of the repository",
    "grafana/build.py": "generated files of the repository",
    "evaluation/document.py": "generated files of the repository",
    "evaluation/truncation.py": "tables in the temporary folder that evaluation/causality.py makes",
    "sources/time_order.py": "files in a temporary folder of its own",
    "sources/oulad_tables.py": "tables in a temporary folder of its own",
    "benchmarks/throughput.py": "a log in a temporary folder of its own",
    "benchmarks/guards/runs.py": "adds lines to its own log, which it has read before",
    "benchmarks/stops.py": "the logs of its own workers, in a temporary folder of its own",
    "sinks/gateway.py": "an in-memory file of its own, by its descriptor",
    "benchmarks/drift.py": "adds lines to its own log, which it has read before",
}
METHODS = {"rmtree", "unlink", "rmdir", "removedirs", "write_text", "write_bytes", "truncate"}
METHODS |= {
    "write_table",
    "write_csv",
    "ParquetWriter",
    "write_feather",
    "symlink_to",
    "hardlink_to",
}
OF_OS = {"remove", "rename", "renames", "replace", "move", "copy", "copy2", "copyfile", "copytree", "link"}


def destroying(source: str) -> list[str]:
    """Calls in a module's source that may delete, rename or overwrite, as ``line: name``."""
    calls = [node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Call)]
    return [f"{call.lineno}: {ast.unparse(call.func)}" for call in calls if _destroys(call)]


def _destroys(call: ast.Call) -> bool:
    match call.func:
        case ast.Attribute(value=ast.Name(id="os" | "shutil"), attr=name) if name in OF_OS | {"open"}:
            return True
        case ast.Attribute(attr="open") | ast.Name(id="open"):
            words = [*call.args, *(keyword.value for keyword in call.keywords if keyword.arg == "mode")]
            modes = [word.value for word in words if isinstance(word, ast.Constant)]
            return any(isinstance(mode, str) and set(mode) & set("wax+") and len(mode) < 4 for mode in modes)
        case ast.Attribute(attr=name):
            return name in METHODS
        case ast.Name(id=name):
            return name in METHODS | {"move", "copytree", "copyfile"}
    return False


def test_only_modules_that_look_first_delete_or_overwrite() -> None:
    by_file = {}
    for package in (*PACKAGES, "benchmarks"):
        for path in sorted((ROOT / package).rglob("*.py")):
            if calls := destroying(path.read_text(encoding="utf-8")):
                by_file[path.relative_to(ROOT).as_posix()] = calls
    assert {name: calls for name, calls in by_file.items() if name not in ALLOWED} == {}
    assert sorted(ALLOWED.keys() - by_file.keys()) == [], "no longer needed in the list"


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("import shutil\nshutil.rmtree(x)", ["2: shutil.rmtree"]),
        ("path.write_text('x')", ["1: path.write_text"]),
        ("path.open('wb')", ["1: path.open"]),
        ("open(path, mode='a')", ["1: open"]),
        ("os.replace(a, b)", ["1: os.replace"]),
        ("path.open()\nopen(path, 'rb')\ntext.replace('a', 'b')\nlisteners.remove(one)", []),
    ],
)
def test_the_search_finds_what_destroys(source: str, found: list[str]) -> None:
    assert destroying(source) == found
