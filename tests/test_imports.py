"""The import table holds, and the checker that says so can say the opposite."""

from pathlib import Path

import pytest

from tests.import_rules import MAY_IMPORT, violations

ROOT = Path(__file__).parent.parent


def test_our_code_keeps_the_table() -> None:
    assert (ROOT / "schemas" / "topics.py").exists(), "looking in the wrong place"
    assert violations(ROOT) == []


def test_the_docs_name_the_same_packages() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert [package for package in MAY_IMPORT if f"`{package}/`" not in readme] == []


def _violations(root: Path, files: dict[str, str]) -> list[str]:
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return violations(root)


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        ("schemas/a.py", "import numpy", "schemas/a.py:1: schemas imports numpy; schemas may import"),
        (
            "schemas/a.py",
            "from features import x",
            "schemas imports features.x; of ours it may import nothing",
        ),
        ("sources/a.py", "\n\nimport streams.app", "sources/a.py:3: sources imports streams.app"),
        ("features/a.py", "from online_models.trainer import Trainer", "it may import schemas"),
        ("features/a.py", "def f():\n    from sinks import x", "features/a.py:2: features imports sinks.x"),
        ("features/a.py", "import chdb.session", "features imports chdb.session; the pure middle"),
        (
            "online_models/a.py",
            "import nudges",
            "online_models imports nudges; of ours it may import features",
        ),
        ("online_models/a.py", "import time\ntime.time()", "a.py:2: online_models calls time.time()"),
        ("online_models/a.py", "from time import time as now\nnow()", "calls time.time()"),
        (
            "online_models/a.py",
            "import datetime as d\nd.datetime.now(d.UTC)",
            "calls datetime.datetime.now()",
        ),
        ("nudges/a.py", "from datetime import date\ndate.today()", "nudges calls datetime.date.today()"),
        ("nudges/a.py", "open('x')", "nudges calls open()"),
        ("nudges/a.py", "from pathlib import Path\nPath('x').read_text()", "nudges calls read_text()"),
        ("nudges/notifiers.py", "open('x')", "nudges calls open()"),
        ("nudges/a.py", "import aiokafka", "nudges imports aiokafka"),
        ("sinks/a.py", "from faust import App", "sinks imports faust.App; Faust is for streams alone"),
        ("grafana/a.py", "import schemas", "of ours it may import nothing"),
        ("console/a.py", "from features.catalogue import NAMES", "it may import schemas, sinks"),
        ("evaluation/a.py", "from streams import app", "evaluation reaches streams.app"),
        (
            "evaluation/a.py",
            "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import mode",
            "Faust is for streams alone",
        ),
    ],
)
def test_a_breach_is_named_with_its_place(tmp_path: Path, name: str, text: str, expected: str) -> None:
    found = _violations(tmp_path, {name: text})
    assert len(found) == 1
    assert expected in found[0]


def test_faust_is_found_behind_other_modules(tmp_path: Path) -> None:
    found = _violations(
        tmp_path,
        {
            "evaluation/backtest.py": "import json\n\nfrom engine.processor import PartitionProcessor\n",
            "streams/__init__.py": "",
            "engine/processor.py": "from . import sensors\n",
            "streams/sensors.py": "def f():\n    from faust.sensors import Monitor\n",
        },
    )
    assert found == [
        "evaluation/backtest.py:3: evaluation reaches faust by "
        "evaluation.backtest → engine.processor → streams.sensors → faust; "
        "it may import all but streams' Faust parts"
    ]


def test_a_package_s_own_init_counts(tmp_path: Path) -> None:
    files = {"evaluation/a.py": "from streams.settings import Settings", "streams/settings.py": ""}
    assert _violations(tmp_path, files) == []
    assert "streams → faust" in _violations(tmp_path, {"streams/__init__.py": "import faust"})[0]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("features/a.py", "import numpy\nfrom schemas.activity import ActivityKind\nfrom . import b"),
        (
            "features/a.py",
            "from datetime import datetime\ndatetime.fromtimestamp(0)\nself.now()\nclock.time()",
        ),
        ("nudges/notifier.py", "import time\ntime.time()\nopen('x')"),
        ("notifier/intake.py", "import confluent_kafka, time\ntime.time()"),
        ("streams/app.py", "import faust, chdb, evaluation, console"),
        ("evaluation/a.py", "from engine.processor import x\nfrom sinks import y\nopen('x')"),
        (
            "evaluation/a.py",
            "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import engine.processor",
        ),
        ("schemas/a.py", "import json\nfrom pydantic import Field\nfrom typing_extensions import TypedDict"),
    ],
)
def test_what_is_allowed_is_let_through(tmp_path: Path, name: str, text: str) -> None:
    assert _violations(tmp_path, {name: text}) == []
