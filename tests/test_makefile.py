"""What make removes: environments and builds that it made, and nobody's own folders."""

import shutil
import subprocess
from pathlib import Path

import pytest

MAKEFILE = Path(__file__).parent.parent / "Makefile"
pytestmark = pytest.mark.skipif(shutil.which("make") is None, reason="make is not there")


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A folder with nothing but the Makefile."""
    folder = tmp_path / "checkout"
    folder.mkdir()
    shutil.copy(MAKEFILE, folder)
    return folder


def make(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(("make", *arguments), cwd=folder, capture_output=True, text=True, check=False)


def filled(folder: Path, name: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text("mine")
    return folder


def test_clean_removes_what_make_made_and_nothing_else(checkout: Path) -> None:
    for ours in (
        ".venv/made-by-homeroom",
        ".venv-bench/ready",
        "build/tables/e.csv",
        ".cache/kafka-4.4.0/a.jar",
    ):
        filled((checkout / ours).parent, Path(ours).name)
    theirs = [
        ".venv-lock/lib",
        "build/thesis",
        "dist/thesis",
        "other.egg-info/a",
        ".cache/pip/a",
        "data/demo/a",
    ]
    for path in [*theirs, "data/__pycache__/a.pyc"]:
        filled((checkout / path).parent, Path(path).name)
    done = make(checkout, "clean")
    assert done.returncode == 0
    assert ".venv-lock stays" in done.stdout
    left = sorted(str(path.relative_to(checkout)) for path in checkout.rglob("*") if path.is_file())
    assert left == sorted([*theirs, "data/__pycache__/a.pyc", "Makefile"])


def test_make_works_in_its_own_folder_alone(checkout: Path, tmp_path: Path) -> None:
    filled(tmp_path / "work" / "build" / "tables", "thesis")
    done = make(tmp_path / "work", "-f", "../checkout/Makefile", "clean")
    assert done.returncode != 0
    assert "run make in the folder of homeroom's Makefile" in done.stderr
    assert (tmp_path / "work" / "build" / "tables" / "thesis").exists()
    assert make(tmp_path / "work", "-C", "../checkout", "clean").returncode == 0
    (tmp_path / "a b").mkdir()
    shutil.copy(MAKEFILE, tmp_path / "a b")
    assert make(tmp_path / "a b", "clean").returncode == 0


def test_an_environment_that_make_did_not_make_is_not_replaced(checkout: Path, tmp_path: Path) -> None:
    papers = filled(tmp_path / "papers", "thesis")
    (tmp_path / "link").symlink_to(papers)
    (tmp_path / "file").write_text("mine")
    for name in ("papers", "link", "file"):
        done = make(checkout, f"VENV={tmp_path / name}", f"{tmp_path / name}/bin/python")
        assert done.returncode != 0
        assert "was not made by make and stays as it is" in done.stderr
    assert (papers / "thesis").read_text() == "mine"
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "file").read_text() == "mine"


def test_an_environment_of_ours_is_made_anew(checkout: Path, tmp_path: Path) -> None:
    ours = filled(tmp_path / "ours", "made-by-homeroom")
    filled(ours, "stale")
    done = make(checkout, f"VENV={ours}", f"{ours}/bin/python")
    assert done.returncode == 0, done.stderr
    assert (ours / "bin" / "python").exists()
    assert (ours / "made-by-homeroom").exists()
    assert not (ours / "stale").exists()
