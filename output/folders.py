"""Folders that a command fills, and may clear: marked as homeroom's, locked while in use, never others'.

A folder that was absent or empty is marked with the file ``.homeroom`` when it is claimed. Only a folder with
that mark is claimed again, and clearing it removes the files that commands make, by their names, and no
other: notes that somebody put beside the store stay. The folder that was checked is the one that is cleared:
it is opened once, without following a link, and all further access is by the open descriptor.

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
"""The file that marks a folder as homeroom's, with its kind."""

Kind = Literal["demo", "replay", "broker"]

STORE = "store"
_OWN_NAMES = re.compile(rf"{STORE}|worker-\d+\.log")
"""Names of what commands make in their folders."""

_EXPECTED = "expected a folder that is absent or empty"
_INSTALLATION = Path(__file__).resolve().parent.parent


class FolderError(HomeroomError, ValueError):
    """A folder cannot be used, and nothing in it was touched; the message has the reason and the remedy."""


@dataclass(frozen=True, slots=True)
class WorkFolder:
    """A claimed folder, locked against other commands."""

    path: Path
    descriptor: int

    def clear(self) -> None:
        """Remove the store and the workers' logs of an earlier run. Everything else stays.

        Raises:
            FolderError: one of them is a link or a mount, which no command made; nothing is removed then. Or
                the system refuses to remove one.
        """
        names = [name for name in sorted(os.listdir(self.descriptor)) if _OWN_NAMES.fullmatch(name)]
        for name in names:
            self._check_own(name)
        try:
            for name in names:
                if name == STORE:
                    shutil.rmtree(name, dir_fd=self.descriptor)  # by descriptors: a link is never followed
                else:
                    os.unlink(name, dir_fd=self.descriptor)
        except OSError as error:
            raise FolderError(f"--folder {self.path}: {name} cannot be removed: {error.strerror}") from None

    def _check_own(self, name: str) -> None:
        status = os.stat(name, dir_fd=self.descriptor, follow_symlinks=False)
        is_expected_kind = stat.S_ISDIR if name == STORE else stat.S_ISREG
        if not is_expected_kind(status.st_mode) or status.st_dev != os.fstat(self.descriptor).st_dev:
            raise FolderError(
                f"--folder {self.path}: {name} in it is a link, a mount or of another kind than we made; "
                f"{_EXPECTED}"
            )


@contextmanager
def claim_folder(folder: Path, kind: Kind) -> Iterator[WorkFolder]:
    """A folder to work in, created where it is absent, marked, and locked until the end of the block.

    Raises:
        FolderError: the folder is protected, has files of others, is another command's, or is in use. Nothing
            in it was touched.
    """
    with _open_descriptor(folder) as descriptor:
        if (location := protected_location(os.fstat(descriptor))) is not None:
            raise FolderError(f"--folder {folder}: this is {location}; {_EXPECTED}")
        marker = _open_marker(folder, descriptor, kind)
        try:
            _lock(folder, marker, fcntl.LOCK_EX)
            yield WorkFolder(folder, descriptor)
        finally:
            os.close(marker)


@contextmanager
def claim_cleared_folder(folder: Path, kind: Kind) -> Iterator[WorkFolder]:
    """``claim_folder``, and cleared of an earlier run's files."""
    with claim_folder(folder, kind) as claimed:
        claimed.clear()
        yield claimed


@contextmanager
def open_store(folder: Path) -> Iterator[Path]:
    """The store in a folder of an earlier run, locked against commands that would clear it meanwhile.

    Folders of releases that set no mark are read, too.

    Raises:
        FolderError: there is no store, or a command uses the folder.
    """
    store = folder / STORE
    if not (store / "tmp").is_dir():  # the engine makes it; another folder is not opened
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
        _lock(folder, marker, fcntl.LOCK_SH)
        yield store
    finally:
        os.close(marker)


def protected_location(status: os.stat_result) -> str | None:
    """What a folder is, in words, if it must not be filled or cleared; else None.

    status: of the open folder. Folders are compared by their identity on disk, so that no spelling, link or
    second mount of a protected one is missed.
    """
    for path, location in _protected_folders():
        for parent in (path, *path.parents):
            try:
                is_same = os.path.samestat(status, parent.stat())
            except OSError:
                continue
            if is_same:
                return location if parent == path else f"a parent of {location}"
    return None


def _protected_folders() -> Iterable[tuple[Path, str]]:
    yield Path("/"), "the root of the file system"
    for home in {os.environ.get("HOME"), _account_home()} - {None, ""}:
        yield Path(str(home)).absolute(), "a home folder"
    yield Path.cwd(), "the working folder"
    yield _INSTALLATION, "the folder of homeroom itself"
    yield Path(sys.prefix), "the folder of this Python"


def _account_home() -> str | None:
    import pwd  # noqa: PLC0415 - needed once, as HOME may name another folder

    try:
        return pwd.getpwuid(os.getuid()).pw_dir
    except KeyError:
        return None


@contextmanager
def _open_descriptor(folder: Path) -> Iterator[int]:
    """The folder's descriptor. Its own name must not be a link; those above it may be."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    except (OSError, ValueError) as error:
        reason = "it is a link" if os.path.islink(folder) else getattr(error, "strerror", None) or str(error)
        raise FolderError(f"--folder {str(folder)!r}: {reason}; {_EXPECTED}") from None
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _open_marker(folder: Path, descriptor: int, kind: Kind) -> int:
    """Descriptor of the marker of a folder of this kind; created where the folder is empty."""
    first_line = f"homeroom {kind}\n".encode()
    flags = os.O_RDWR | os.O_NOFOLLOW | os.O_NONBLOCK
    try:
        if not os.listdir(descriptor):
            marker = os.open(MARKER, flags | os.O_CREAT | os.O_EXCL, 0o644, dir_fd=descriptor)
            os.write(marker, first_line + f"Data of a {kind}; the next one may remove it.\n".encode())
            return marker
        marker = os.open(MARKER, flags, dir_fd=descriptor)
    except FileNotFoundError:
        raise FolderError(
            f"--folder {folder}: holds things that homeroom did not put there; {_EXPECTED}, or one that an "
            f"earlier `homeroom {kind}` made"
        ) from None
    except OSError as error:
        raise FolderError(f"--folder {folder}: {MARKER} cannot be opened: {error.strerror}") from None
    if not stat.S_ISREG(os.fstat(marker).st_mode) or not os.pread(marker, 64, 0).startswith(first_line):
        os.close(marker)
        raise FolderError(
            f"--folder {folder}: is not of an earlier `homeroom {kind}`; {_EXPECTED}, or one that is"
        )
    return marker


def _lock(folder: Path, marker: int, operation: int) -> None:
    try:
        fcntl.flock(marker, operation | fcntl.LOCK_NB)
    except OSError as error:
        is_held = isinstance(error, BlockingIOError)
        reason = (
            "in use by another process: stop that one, or choose another folder"
            if is_held
            else error.strerror
        )
        raise FolderError(f"--folder {folder}: {reason}") from None
