"""Folders that commands fill and clear: only their own, and of those only what they put there.

Everything here is below the test's temporary folder. Places that must never be touched are asked about by
``protected`` alone, which looks and touches nothing.
"""

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from output.folders import (
    MARKER,
    FolderError,
    claim_cleared_folder,
    claim_folder,
    open_store,
    protected_location,
)

ROOT = Path(__file__).resolve().parents[2]


def contents(folder: Path) -> dict[str, bytes]:
    """Every file below a folder with its bytes, links as what they point to."""
    return {
        str(path.relative_to(folder)): os.readlink(path).encode() if path.is_symlink() else path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_symlink() or path.is_file()
    }


def a_run(folder: Path) -> None:
    """What a demo leaves behind."""
    with claim_folder(folder, "demo"):
        (folder / "store" / "tmp").mkdir(parents=True)
        (folder / "store" / "data").write_text("rows")
        (folder / "worker-0.log").write_text("log")


def refuses(folder: Path, words: str) -> None:
    """The folder is not given to a demo."""
    with pytest.raises(FolderError, match=words), claim_cleared_folder(folder, "demo"):
        pass


@pytest.mark.parametrize(
    ("place", "words"),
    [
        ("/", "the root of the file system"),
        ("/.", "the root of the file system"),
        ("/proc/self/root", "the root of the file system"),
        (str(ROOT), "the folder of homeroom itself"),
        (str(ROOT.parent), "a parent of the folder of homeroom itself"),
        (sys.prefix, "the folder of this Python"),
    ],
)
def test_nobody_s_own_place_is_taken(
    place: str, words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert protected_location(os.stat(place)) == words


def test_a_home_and_the_working_folder_are_protected_with_all_above_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home, work = tmp_path / "people" / "ann", tmp_path / "work" / "deep"
    home.mkdir(parents=True)
    work.mkdir(parents=True)
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.chdir(work)
    (tmp_path / "link").symlink_to(home)
    assert protected_location((tmp_path / "link").stat()) == "a home folder"
    assert protected_location(home.parent.stat()) == "a parent of a home folder"
    assert protected_location(work.stat()) == "the working folder"
    assert protected_location(work.parent.stat()) == "a parent of the working folder"
    assert protected_location(tmp_path.stat()) is not None
    (work / "data").mkdir()
    assert protected_location((work / "data").stat()) is None


@pytest.mark.parametrize("name", [".", "..", "", "../deep", "work/.."])
def test_spellings_of_the_working_folder_are_refused_untouched(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    work = tmp_path / "deep"
    (work / "work").mkdir(parents=True)
    (work / "store").mkdir()
    (work / "store" / "thesis.txt").write_text("years of work")
    (work / MARKER).write_text("homeroom demo\n")  # even with our mark
    monkeypatch.chdir(work)
    before = contents(tmp_path)
    refuses(Path(name), "working folder; expected")
    assert contents(tmp_path) == before


def test_a_folder_with_somebody_s_papers_is_refused_untouched(tmp_path: Path) -> None:
    papers = tmp_path / "papers"
    (papers / "store").mkdir(parents=True)
    (papers / "store" / "thesis.txt").write_text("years of work")
    (papers / "worker-0.log").write_text("mine, too")
    before = contents(papers)
    refuses(papers, "holds things that homeroom did not put there")
    assert contents(papers) == before


def test_an_earlier_run_is_cleared_and_what_lies_beside_it_stays(tmp_path: Path) -> None:
    a_run(tmp_path / "demo")
    (tmp_path / "demo" / "notes.txt").write_text("mine")
    (tmp_path / "demo" / "store.bak").mkdir()
    with claim_cleared_folder(tmp_path / "demo", "demo"):
        pass
    assert sorted(path.name for path in (tmp_path / "demo").iterdir()) == [MARKER, "notes.txt", "store.bak"]


def test_a_link_in_the_store_is_removed_and_not_followed(tmp_path: Path) -> None:
    (tmp_path / "papers").mkdir()
    (tmp_path / "papers" / "thesis.txt").write_text("years of work")
    a_run(tmp_path / "demo")
    (tmp_path / "demo" / "store" / "papers").symlink_to(tmp_path / "papers")
    with claim_cleared_folder(tmp_path / "demo", "demo"):
        pass
    assert contents(tmp_path / "papers") == {"thesis.txt": b"years of work"}
    assert not (tmp_path / "demo" / "store").exists()


@pytest.mark.parametrize("name", ["store", "worker-0.log"])
def test_what_became_a_link_is_refused_before_anything_is_removed(tmp_path: Path, name: str) -> None:
    a_run(tmp_path / "demo")
    (tmp_path / "demo" / name).rename(tmp_path / "elsewhere")
    (tmp_path / "demo" / name).symlink_to(tmp_path / "elsewhere")
    before = contents(tmp_path)
    refuses(tmp_path / "demo", f"{name} in it is a link")
    assert contents(tmp_path) == before


def test_a_folder_that_is_a_link_is_refused(tmp_path: Path) -> None:
    a_run(tmp_path / "demo")
    (tmp_path / "link").symlink_to(tmp_path / "demo")
    (tmp_path / "dangling").symlink_to(tmp_path / "nowhere")
    before = contents(tmp_path)
    for name in ("link", "dangling"):
        refuses(tmp_path / name, "it is a link")
    assert contents(tmp_path) == before


def test_a_folder_swapped_after_it_was_opened_is_not_the_one_cleared(tmp_path: Path) -> None:
    """The race that a path alone would lose."""
    a_run(tmp_path / "demo")
    (tmp_path / "papers" / "store").mkdir(parents=True)
    (tmp_path / "papers" / "store" / "thesis.txt").write_text("years of work")
    with claim_folder(tmp_path / "demo", "demo") as folder:
        (tmp_path / "demo").rename(tmp_path / "moved")
        (tmp_path / "demo").symlink_to(tmp_path / "papers")
        folder.clear()
    assert contents(tmp_path / "papers") == {"store/thesis.txt": b"years of work"}
    assert not (tmp_path / "moved" / "store").exists()


@pytest.mark.parametrize(
    "marker", [b"", b"homeroom", b"homeroom replay\n", b"\0" * 100, b"x" * 10_000, "folder", "link", "fifo"]
)
def test_another_marker_is_none(tmp_path: Path, marker: bytes | str) -> None:
    a_run(tmp_path / "demo")
    mark = tmp_path / "demo" / MARKER
    mark.rename(tmp_path / "kept")
    if isinstance(marker, bytes):
        mark.write_bytes(marker)
    elif marker == "folder":
        mark.mkdir()
    elif marker == "link":
        mark.symlink_to(tmp_path / "kept")
    else:
        os.mkfifo(mark)
    refuses(tmp_path / "demo", r"not of an earlier|cannot be opened")
    assert (tmp_path / "demo" / "store" / "data").read_text() == "rows"


def test_a_file_a_device_and_a_name_that_is_none_are_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    for place in (
        tmp_path / "file",
        tmp_path / "file" / "in",
        Path("/dev/null"),
        Path("a\0b"),
        Path("x" * 300),
    ):
        refuses(place, "expected a folder")
    assert (tmp_path / "file").read_text() == "mine"


def test_a_replay_s_folder_is_not_a_demo_s(tmp_path: Path) -> None:
    with claim_folder(tmp_path / "replay", "replay"):
        (tmp_path / "replay" / "store").mkdir()
    refuses(tmp_path / "replay", "is not of an earlier `homeroom demo`")
    with claim_folder(tmp_path / "replay", "replay"):
        assert (tmp_path / "replay" / "store").is_dir(), "a replay goes on with what is there"


def test_a_folder_in_use_is_not_cleared(tmp_path: Path) -> None:
    a_run(tmp_path / "demo")
    again = "import sys; from pathlib import Path; from output.folders import *\n" + (
        "try:\n with claim_cleared_folder(Path(sys.argv[1]), 'demo'): print('cleared')\n"
        "except FolderError as e: print(e)"
    )

    def attempt() -> str:
        arguments = [sys.executable, "-c", again, str(tmp_path / "demo")]
        return subprocess.run(arguments, cwd=ROOT, capture_output=True, text=True, check=True).stdout

    with open_store(tmp_path / "demo") as store:
        with open_store(tmp_path / "demo"):
            pass  # two may read
        assert "in use by another process" in attempt()
        assert (store / "data").read_text() == "rows"
    with claim_folder(tmp_path / "demo", "demo"):
        assert "in use by another process" in attempt()
        with pytest.raises(FolderError, match="in use"), open_store(tmp_path / "demo"):
            pass
    assert attempt() == "cleared\n"


def test_a_store_of_another_sort_is_not_opened(tmp_path: Path) -> None:
    (tmp_path / "store").mkdir()
    (tmp_path / "store" / "jumper.jpg").write_text("for sale")
    with pytest.raises(FolderError, match="there is no store; run"), open_store(tmp_path):
        pass


def test_what_cannot_be_removed_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    a_run(tmp_path / "demo")

    def full(*_: object, **__: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr("shutil.rmtree", full)
    refuses(tmp_path / "demo", "store cannot be removed: Operation not permitted")


def test_the_marker_says_what_it_is_for(tmp_path: Path) -> None:
    with claim_folder(tmp_path / "a" / "b", "demo"):
        pass
    marker = tmp_path / "a" / "b" / MARKER
    assert "homeroom" in marker.read_text()
    assert stat.S_ISREG(marker.lstat().st_mode)
