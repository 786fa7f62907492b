"""Files that a command writes: atomically, and never over a file of somebody else.

An existing file is refused unless ``--force`` is given, and anything but a regular file (a folder, a link, a
device) is always refused. The check is made before the work begins and again, by the file system, when the
file gets its name: a file that appeared meanwhile is not overwritten either.

For folders, see :mod:`output.folders`.
"""

import os
import secrets
import stat
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import IO

from schemas.errors import HomeroomError

_CREATE_FLAGS = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW
"""Flags for a file that must not exist yet."""


class OutputError(HomeroomError, ValueError):
    """A file cannot be written; the message has the reason and what was expected."""


def check_writable(*paths: Path | None, force: bool = False) -> None:
    """Check that files can be written, before the work for them begins.

    paths: None for outputs that are not requested. force: whether regular files may be replaced.

    Raises:
        OutputError: a path cannot be written, or is given twice.
    """
    requested = [path for path in paths if path is not None]
    for path in requested:
        if sum(os.path.abspath(path) == os.path.abspath(other) for other in requested) > 1:
            raise OutputError(f"{path}: is named for two outputs; expected a file for each")
        with _system_errors(path):
            ancestor = path.parent
            while not ancestor.exists() and ancestor != ancestor.parent:
                ancestor = ancestor.parent  # missing folders are created when the file is written
            with _open_folder(ancestor) as folder:
                _check_target(path, folder, force, exists=ancestor == path.parent)


@contextmanager
def open_output(path: Path, *, force: bool = False) -> Iterator[IO[bytes]]:
    """A file to write to, which gets its name at the end of the block; missing folders are created.

    If the block raises, no file is left.

    Raises:
        OutputError: the path cannot be written.
    """
    with ExitStack() as stack:
        with _system_errors(path):
            if not path.parent.exists():
                path.parent.mkdir(parents=True, exist_ok=True)
            folder = stack.enter_context(_open_folder(path.parent))
            _check_target(path, folder, force)
            temporary = f".{secrets.token_hex(8)}.part"
            descriptor = os.open(temporary, _CREATE_FLAGS, 0o666, dir_fd=folder)
            stack.callback(_remove, temporary, folder)
        with os.fdopen(descriptor, "wb") as file:
            yield file
        with _system_errors(path):
            existing = _check_target(path, folder, force)
            if existing is not None:  # who could not read the old file must not read the new one
                os.chmod(temporary, stat.S_IMODE(existing.st_mode), dir_fd=folder)
            _rename(temporary, path.name, folder, force)


def write_output(path: Path, text: str, *, force: bool = False) -> None:
    """Write a text as a whole file in UTF-8.

    Raises:
        OutputError: the path cannot be written.
    """
    with open_output(path, force=force) as file:
        file.write(text.encode())


@contextmanager
def _open_folder(folder: Path) -> Iterator[int]:
    """A folder's descriptor: the file is checked and written in the same folder, even if its path changes."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


@contextmanager
def _system_errors(path: Path) -> Iterator[None]:
    """Raise the system's errors in the block as ``OutputError``."""
    try:
        yield
    except OutputError:
        raise
    except FileExistsError:
        raise OutputError(f"{path}: is there already; expected a new file; --force replaces it") from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise OutputError(f"{str(path)!r}: cannot be written: {reason}") from None


def _check_target(path: Path, folder: int, force: bool, *, exists: bool = True) -> os.stat_result | None:
    """The status of the file that may be replaced, None where there is none.

    folder: descriptor of the path's folder, or of its nearest ancestor that exists. exists: whether the
    path's folder does.

    Raises:
        OutputError: the name or the folder is not writable, or something else than a file has the name.
        FileExistsError: a file has the name, without ``force``.
    """
    if not path.name or path.name == "..":
        raise OutputError(f"{str(path)!r}: is no file's name; expected one")
    if not os.access(".", os.W_OK | os.X_OK, dir_fd=folder):
        raise OutputError(f"{path}: cannot be written: nothing may be written in its folder")
    try:
        status = os.stat(path.name, dir_fd=folder, follow_symlinks=False) if exists else None
    except FileNotFoundError:
        status = None
    if status is not None and not stat.S_ISREG(status.st_mode):
        raise OutputError(f"{path}: is a folder, a link or a device; expected a file")
    if status is not None and not force:
        raise FileExistsError
    return status


def _rename(temporary: str, name: str, folder: int, force: bool) -> None:
    """Give the written file its name in one step.

    Raises:
        FileExistsError: a file has the name, without ``force``.
    """
    if force:
        os.replace(temporary, name, src_dir_fd=folder, dst_dir_fd=folder)
        return
    try:
        os.link(temporary, name, src_dir_fd=folder, dst_dir_fd=folder, follow_symlinks=False)
    except FileExistsError:
        raise
    except OSError:  # a file system without hard links: the name is reserved first, then replaced
        os.close(os.open(name, _CREATE_FLAGS, 0o666, dir_fd=folder))
        os.replace(temporary, name, src_dir_fd=folder, dst_dir_fd=folder)


def _remove(name: str, folder: int) -> None:
    with suppress(FileNotFoundError):
        os.unlink(name, dir_fd=folder)
