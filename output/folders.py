"""Folders that a command fills, and may clear: marked as made by us, held while in use, never others'.

A folder that was absent or empty is marked with the file ``.homeroom`` when it is taken. Only a folder with
that mark is taken again, and clearing it removes what we put there by name, no more: notes that somebody
laid beside the store stay. What is looked at is what is cleared: the folder is opened once, without following
a link, and everything after that goes by the open descriptor, whatever the path may have become.

For files that a command writes, see :mod:`output.files`.
"""

import fcntl
import os
import re
import shutil
import stat
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from schemas.errors import HomeroomError

MARKER = ".homeroom"
"""The file that says that a folder is ours, and what for."""

Kind = Literal["demo", "replay", "broker"]

STORE = "store"
_OURS = re.compile(rf"{STORE}|worker-\d+\.log")
"""What the commands make in a folder of theirs."""

_EXPECTED = "expected a folder that is absent or empty"
_ROOT = Path(__file__).resolve().parent.parent


class FolderError(HomeroomError, ValueError):
    """A folder cannot be taken, and nothing in it was touched; the message says why and what was expected."""


@dataclass(frozen=True, slots=True)
class Taken:
    """A folder of ours, held against other commands."""

    path: Path
    descriptor: int

    def clear(self) -> None:
        """Remove the store and the workers' logs of an earlier run. Everything else stays.

        Raises ``FolderError``, before anything is removed, where one of them is a link, or another file
        system, and so is not what we made.
        """
        found = [name for name in sorted(os.listdir(self.descriptor)) if _OURS.fullmatch(name)]
        for name in found:
            self._check(name)
        try:
            for name in found:
                if name == STORE:
                    shutil.rmtree(name, dir_fd=self.descriptor)  # by descriptors: a link is never followed
                else:
                    os.unlink(name, dir_fd=self.descriptor)
        except OSError as error:
            raise FolderError(f"--folder {self.path}: {name} cannot be removed: {error.strerror}") from None

    def _check(self, name: str) -> None:
        about = os.stat(name, dir_fd=self.descriptor, follow_symlinks=False)
        wanted = stat.S_ISDIR if name == STORE else stat.S_ISREG
        if not wanted(about.st_mode) or about.st_dev != os.fstat(self.descriptor).st_dev:
            raise FolderError(
                f"--folder {self.path}: {name} in it is a link, a mount or of another kind than we made; "
                f"{_EXPECTED}"
            )


@contextmanager
def taken(folder: Path, kind: Kind) -> Iterator[Taken]:
    """A folder to work in, made where it is absent, marked as ours, and held until the end of the block.

    Raises ``FolderError``, with nothing touched, for one that is not ours to use: a system's or a person's
    own place, one that holds other things, one of another command, one in use.
    """
    with _opened(folder) as descriptor:
        if (place := protected(os.fstat(descriptor))) is not None:
            raise FolderError(f"--folder {folder}: this is {place}; {_EXPECTED}")
        marker = _marker(folder, descriptor, kind)
        try:
            _hold(folder, marker, fcntl.LOCK_EX)
            yield Taken(folder, descriptor)
        finally:
            os.close(marker)


@contextmanager
def fresh(folder: Path, kind: Kind) -> Iterator[Taken]:
    """``taken``, and cleared of what an earlier run left there."""
    with taken(folder, kind) as found:
        found.clear()
        yield found


@contextmanager
def read_in(folder: Path) -> Iterator[Path]:
    """The store in a folder of an earlier run, held against commands that would clear it meanwhile.

    Folders of releases that set no mark are read too. Raises ``FolderError`` where there is no store, or
    one that a command is at work on.
    """
    store = folder / STORE
    if not (store / "tmp").is_dir():  # the engine makes it; a folder of another sort is left alone
        raise FolderError(
            f"--folder {folder}: there is no store; run `homeroom demo` or `homeroom replay` first"
        )
    try:
        marker = os.open(folder / MARKER, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except FileNotFoundError:
        yield store
        return
    except OSError as error:
        raise FolderError(f"--folder {folder}: {MARKER} cannot be read: {error.strerror}") from None
    try:
        _hold(folder, marker, fcntl.LOCK_SH)
        yield store
    finally:
        os.close(marker)


def protected(about: os.stat_result) -> str | None:
    """What a folder is, in words, where nobody may want it filled or cleared; else None.

    about: of the open folder. Places are told by their identity on disk, so that no spelling, link or second
    mount of one gets by.
    """
    for place, words in _places():
        for parent in (place, *place.parents):
            try:
                same = os.path.samestat(about, parent.stat())
            except OSError:
                continue
            if same:
                return words if parent == place else f"a parent of {words}"
    return None


def _places() -> Iterable[tuple[Path, str]]:
    yield Path("/"), "the root of the file system"
    for home in {os.environ.get("HOME"), _home()} - {None, ""}:
        yield Path(str(home)).absolute(), "a home folder"
    yield Path.cwd(), "the working folder"
    yield _ROOT, "the folder of homeroom itself"
    yield Path(sys.prefix), "the folder of this Python"


def _home() -> str | None:
    import pwd  # noqa: PLC0415 - asked once, where HOME may say something else

    try:
        return pwd.getpwuid(os.getuid()).pw_dir
    except KeyError:
        return None


@contextmanager
def _opened(folder: Path) -> Iterator[int]:
    """The folder's descriptor. Its own name must not be a link; those above it may be."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    except (OSError, ValueError) as error:
        why = "it is a link" if os.path.islink(folder) else getattr(error, "strerror", None) or str(error)
        raise FolderError(f"--folder {str(folder)!r}: {why}; {_EXPECTED}") from None
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _marker(folder: Path, descriptor: int, kind: Kind) -> int:
    """The open marker of a folder of this kind; set where the folder is empty."""
    first = f"homeroom {kind}\n".encode()
    flags = os.O_RDWR | os.O_NOFOLLOW | os.O_NONBLOCK
    try:
        if not os.listdir(descriptor):
            marker = os.open(MARKER, flags | os.O_CREAT | os.O_EXCL, 0o644, dir_fd=descriptor)
            os.write(marker, first + f"Data of a {kind}; the next one may remove it.\n".encode())
            return marker
        marker = os.open(MARKER, flags, dir_fd=descriptor)
    except FileNotFoundError:
        raise FolderError(
            f"--folder {folder}: holds things that homeroom did not put there; {_EXPECTED}, or one that an "
            f"earlier `homeroom {kind}` made"
        ) from None
    except OSError as error:
        raise FolderError(f"--folder {folder}: {MARKER} cannot be opened: {error.strerror}") from None
    if not stat.S_ISREG(os.fstat(marker).st_mode) or not os.pread(marker, 64, 0).startswith(first):
        os.close(marker)
        raise FolderError(
            f"--folder {folder}: is not of an earlier `homeroom {kind}`; {_EXPECTED}, or one that is"
        )
    return marker


def _hold(folder: Path, marker: int, how: int) -> None:
    try:
        fcntl.flock(marker, how | fcntl.LOCK_NB)
    except OSError as error:
        busy = isinstance(error, BlockingIOError)
        why = "in use by another process: stop that one, or choose another folder" if busy else error.strerror
        raise FolderError(f"--folder {folder}: {why}") from None
