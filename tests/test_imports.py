"""The packages keep to their layers, the docs draw them as they are, and each check can fail."""

import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import grimp
import pytest

from tests.purity import impure_calls

ROOT = Path(__file__).parent.parent
LINT = "import sys; from importlinter.cli import lint_imports_command; sys.exit(lint_imports_command())"
with (ROOT / "pyproject.toml").open("rb") as file:
    CONFIGURED = tomllib.load(file)["tool"]["importlinter"]
PACKAGES: tuple[str, ...] = tuple(CONFIGURED["root_packages"])


def lint(folder: Path) -> subprocess.CompletedProcess[str]:
    """Hold the packages of a folder to the contracts in its ``pyproject.toml``."""
    command = (sys.executable, "-c", LINT, "--no-cache")
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=120, check=False)


def test_the_packages_keep_to_their_layers() -> None:
    linted = lint(ROOT)
    assert linted.returncode == 0, linted.stdout + linted.stderr


def test_every_package_is_held_to_them() -> None:
    folders = {path.parent.name for path in ROOT.glob("*/__init__.py")} - {"tests", "benchmarks"}
    assert folders == set(PACKAGES)


def test_a_breach_of_each_contract_is_named(tmp_path: Path) -> None:
    for package in PACKAGES:
        shutil.copytree(ROOT / package, tmp_path / package, ignore=shutil.ignore_patterns("[!_]*.[!p]*"))
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    breaches = {
        "engine/outputs.py": "import streams.app",
        "features/packed_arrays.py": "import confluent_kafka",
        "nudges/levels.py": "import features",
        "console/ports.py": "import nudges",
        "notifier/kafka_settings.py": "import sinks",
        "grafana/build.py": "import schemas",
        "sinks/address.py": "import faust",
        "evaluation/errors.py": "import aiokafka",
    }
    for name, line in breaches.items():
        with (tmp_path / name).open("a", encoding="utf-8") as changed:
            changed.write(f"\n{line}\n")
    linted = lint(tmp_path)
    assert linted.returncode == 1
    assert f"0 kept, {len(CONFIGURED['contracts'])} broken" in linted.stdout, linted.stdout


def test_pure_packages_read_neither_clock_nor_files() -> None:
    assert impure_calls(ROOT) == []


@pytest.mark.parametrize(
    ("text", "called"),
    [
        ("import time\ntime.time()", "time.time"),
        ("from time import time as now\nnow()", "time.time"),
        ("import datetime as d\nd.datetime.now(d.UTC)", "datetime.datetime.now"),
        ("from datetime import date\ndate.today()", "datetime.date.today"),
        ("open('x')", "open"),
        ("from pathlib import Path\nPath('x').read_text()", "read_text"),
    ],
)
def test_an_impure_call_is_named(tmp_path: Path, text: str, called: str) -> None:
    (tmp_path / "engine").mkdir()
    (tmp_path / "engine" / "a.py").write_text(text, encoding="utf-8")
    assert impure_calls(tmp_path) == [f"engine/a.py:{len(text.splitlines())}: {called}()"]


def test_a_pure_call_is_let_through(tmp_path: Path) -> None:
    (tmp_path / "engine").mkdir()
    text = "from datetime import datetime\ndatetime.fromtimestamp(0)\nself.now()\nclock.time()"
    (tmp_path / "engine" / "a.py").write_text(text, encoding="utf-8")
    assert impure_calls(tmp_path) == []


def package_imports() -> set[tuple[str, str]]:
    """Which package imports which directly."""
    graph = grimp.build_graph(*PACKAGES, cache_dir=None)
    pairs = set()
    for module in graph.modules:
        for target in graph.find_modules_directly_imported_by(module):
            pair = module.partition(".")[0], target.partition(".")[0]
            pairs |= {pair} if pair[0] != pair[1] else set()
    return pairs


def test_the_picture_of_the_packages_is_the_code_s() -> None:
    text = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    drawn = text.partition("```mermaid")[2].partition("```")[0]
    arrows = set(re.findall(r"^\s*(\w+) --> (\w+)$", drawn, flags=re.MULTILINE))
    assert arrows == {(one, other) for one, other in package_imports() if one != "cli" and other != "schemas"}


def test_the_readme_names_every_package() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert [package for package in PACKAGES if f"`{package}/`" not in readme] == []
