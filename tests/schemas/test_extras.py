"""A part that is not installed is named in one line, and a worker's commands ask for none."""

import subprocess
import sys
from pathlib import Path

import pytest

from schemas.extras import EXTRAS, MissingExtraError, explain_missing_extras, require_extras

ROOT = Path(__file__).parents[2]
WITHOUT = """
import sys
class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {absent!r}:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)
sys.meta_path.insert(0, Absent())
sys.argv = ["homeroom", *{arguments!r}]
{then}
from cli.main import main
main()
"""


def without(absent: set[str], *arguments: str, then: str = "") -> subprocess.CompletedProcess[str]:
    """Run the command line where some modules are not installed."""
    program = WITHOUT.format(absent=absent, arguments=arguments, then=then)
    return subprocess.run(
        (sys.executable, "-c", program), cwd=ROOT, capture_output=True, text=True, timeout=120, check=False
    )


ALL = {module for modules in EXTRAS.values() for module in modules}


def test_a_worker_needs_no_extra() -> None:
    done = without(ALL, "worker", "--help", then="import streams.worker, streams.app, sinks.store")
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ("arguments", "extra"),
    [(("replay", "--oulad", "."), "evaluation"), (("notifier",), "notifier"), (("console",), "console")],
)
def test_a_command_names_the_extra_that_it_lacks(arguments: tuple[str, ...], extra: str) -> None:
    done = without(set(EXTRAS[extra]), *arguments)
    assert done.returncode == 2, done.stderr
    (line,) = done.stderr.splitlines()
    assert f"expected the extra {extra!r}: pip install 'homeroom[{extra}]'" in line


def test_what_is_required_and_there_passes() -> None:
    require_extras(*EXTRAS)


def test_what_is_required_and_absent_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(EXTRAS, "store", ("no_such_module",))
    with pytest.raises(MissingExtraError, match="extra 'store'"):
        require_extras("store")


def test_another_missing_module_stays_what_it_is() -> None:
    with pytest.raises(ModuleNotFoundError, match="no_such_module"), explain_missing_extras():
        import no_such_module  # type: ignore[import-not-found]  # noqa: F401
