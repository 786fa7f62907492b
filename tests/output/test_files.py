"""Files that commands write: whole or not at all, and never over somebody's own."""

import os
import stat
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from output import files
from output.files import OutputError, check_writable, open_output, write_output

FORCES = pytest.mark.parametrize("force", [False, True])


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def refuses(path: Path, words: str, force: bool = False) -> None:
    """Neither asking before the work nor writing after it lets this place through; one line says why."""
    for attempt in (
        partial(check_writable, path, force=force),
        partial(write_output, path, "ours", force=force),
    ):
        with pytest.raises(OutputError, match=words) as refused:
            attempt()
        assert "\n" not in str(refused.value)


def write_and(path: Path, meddle: Callable[[], object], force: bool = False) -> None:
    """Write a file, and do something else before it is finished."""
    with open_output(path, force=force) as file:
        file.write(b"ours")
        meddle()


def test_a_new_file_is_written_whole_with_the_folders_it_takes(tmp_path: Path) -> None:
    path = tmp_path / "a" / "b" / "out.json"
    check_writable(path)
    assert names(tmp_path) == [], "a check touches nothing"
    write_output(path, "größer\n")
    assert path.read_bytes() == "größer\n".encode()
    assert names(path.parent) == ["out.json"]


def test_what_is_there_is_refused_before_and_after_the_work(tmp_path: Path) -> None:
    path = tmp_path / "thesis.txt"
    with pytest.raises(OutputError, match=r"thesis.txt: is there already; .*--force replaces it"):
        write_and(path, lambda: path.write_text("somebody saved this meanwhile"))
    assert path.read_text() == "somebody saved this meanwhile"
    refuses(path, "is there already")
    assert names(tmp_path) == ["thesis.txt"]


def test_force_replaces_a_regular_file_and_keeps_who_may_read_it(tmp_path: Path) -> None:
    path = tmp_path / "report.html"
    path.write_text("old")
    path.chmod(0o600)
    check_writable(path, force=True)
    write_output(path, "new", force=True)
    assert path.read_text() == "new"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_with_force_the_old_file_stays_until_the_new_one_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "report.html"
    path.write_text("old")
    with pytest.raises(ZeroDivisionError):
        write_and(path, lambda: 1 // 0, force=True)
    assert path.read_text() == "old"
    assert names(tmp_path) == ["report.html"]


@FORCES
@pytest.mark.parametrize("kind", ["folder", "link", "dangling", "fifo", "device"])
def test_what_is_no_file_is_refused_always(tmp_path: Path, kind: str, force: bool) -> None:
    path = tmp_path / "out"
    (tmp_path / "theirs").write_text("mine")
    match kind:
        case "folder":
            path.mkdir()
        case "fifo":
            os.mkfifo(path)
        case "device":
            path = Path("/dev/null")
        case _:
            path.symlink_to(tmp_path / ("theirs" if kind == "link" else "nowhere"))
    refuses(path, "a folder, a link or a device; expected a file", force)
    assert (tmp_path / "theirs").read_text() == "mine"
    assert not (tmp_path / "nowhere").exists()


@FORCES
def test_a_link_that_appears_meanwhile_is_not_followed(tmp_path: Path, force: bool) -> None:
    path = tmp_path / "out"
    (tmp_path / "theirs").write_text("mine")
    with pytest.raises(OutputError, match=r"is a folder, a link"):
        write_and(path, lambda: path.symlink_to(tmp_path / "theirs"), force)
    assert (tmp_path / "theirs").read_text() == "mine"


def test_a_folder_that_is_swapped_meanwhile_is_not_written_to(tmp_path: Path) -> None:
    """The race that a path alone would lose: the file is where its folder was when it was checked."""
    (tmp_path / "here").mkdir()
    (tmp_path / "theirs").mkdir()
    (tmp_path / "theirs" / "out").write_text("mine")
    with open_output(tmp_path / "here" / "out", force=True) as file:
        file.write(b"ours")
        (tmp_path / "here").rename(tmp_path / "moved")
        (tmp_path / "here").symlink_to(tmp_path / "theirs")
    assert (tmp_path / "theirs" / "out").read_text() == "mine"
    assert (tmp_path / "moved" / "out").read_text() == "ours"


def test_two_outputs_need_two_files(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="named for two outputs"):
        check_writable(tmp_path / "out", None, tmp_path / "a" / ".." / "out")


@pytest.mark.parametrize("name", ["", ".", "..", "/", "file/out", "a\0b", "x" * 300, "é" * 200, "file/a/b/c"])
def test_what_is_no_place_for_a_file_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file").write_text("mine")
    refuses(Path(name), r"cannot be written|is no file's name|is a folder", force=True)
    assert names(tmp_path) == ["file"]


def test_where_there_are_no_hard_links_the_name_is_taken_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def none(*_: object, **__: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr("os.link", none)
    write_output(tmp_path / "out", "ours")
    assert (tmp_path / "out").read_text() == "ours"

    def come_late() -> None:
        monkeypatch.setattr(files, "_check_target", lambda *_, **__: None)
        (tmp_path / "late").write_text("theirs")

    with pytest.raises(OutputError, match="is there already"):
        write_and(tmp_path / "late", come_late)
    assert (tmp_path / "late").read_text() == "theirs"
