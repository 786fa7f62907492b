"""Files that a command writes where it is told to: whole or not at all, and never over somebody's own.

A file that is there already is refused unless ``--force`` is given, and what is no regular file (a folder, a
link, a device) is refused always. The check is made before the work begins and again, by the file system,
when the file gets its name: what appeared meanwhile is not overwritten either.

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

_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW
"""How a file is opened that must not be there."""


class OutputError(HomeroomError, ValueError):
    """A file cannot be written where it was asked for; the message says why and what was expected."""


def check(*paths: Path | None, force: bool = False) -> None:
    """Ask before the work. Raises ``OutputError`` for the first path that could not be written.

    paths: None for outputs that nobody asked for. force: whether regular files may be replaced.
    """
    named = [path for path in paths if path is not None]
    for path in named:
        if sum(os.path.abspath(path) == os.path.abspath(other) for other in named) > 1:
            raise OutputError(f"{path}: is named for two outputs; expected a file for each")
        with _refused(path):
            above = path.parent
            while not above.exists() and above != above.parent:
                above = above.parent  # the missing ones are made when there is something to write
            with _opened(above) as folder:
                _check(path, folder, force, exists=above == path.parent)


@contextmanager
def written(path: Path, *, force: bool = False) -> Iterator[IO[bytes]]:
    """A file to write to, which gets its name at the end of the block; missing folders are made.

    If the block raises, nothing is left. Raises ``OutputError`` where ``check`` would.
    """
    with ExitStack() as stack:
        with _refused(path):
            if not path.parent.exists():
                path.parent.mkdir(parents=True, exist_ok=True)
            folder = stack.enter_context(_opened(path.parent))
            _check(path, folder, force)
            beside = f".{secrets.token_hex(8)}.part"
            descriptor = os.open(beside, _NEW, 0o666, dir_fd=folder)
            stack.callback(_forget, beside, folder)
        with os.fdopen(descriptor, "wb") as file:
            yield file
        with _refused(path):
            about = _check(path, folder, force)
            if about is not None:  # whoever could not read the old file shall not read the new one
                os.chmod(beside, stat.S_IMODE(about.st_mode), dir_fd=folder)
            _name(beside, path.name, folder, force)


def write(path: Path, text: str, *, force: bool = False) -> None:
    """Write a whole file of UTF-8. Raises ``OutputError``, see ``written``."""
    with written(path, force=force) as file:
        file.write(text.encode())


@contextmanager
def _opened(folder: Path) -> Iterator[int]:
    """A folder's descriptor: what is checked in it is where it is written, whatever its path becomes."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


@contextmanager
def _refused(path: Path) -> Iterator[None]:
    """Says whatever the system says as an ``OutputError``."""
    try:
        yield
    except OutputError:
        raise
    except FileExistsError:
        raise OutputError(f"{path}: is there already; expected a new file; --force replaces it") from None
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or str(error)
        raise OutputError(f"{str(path)!r}: cannot be written: {why}") from None


def _check(path: Path, folder: int, force: bool, *, exists: bool = True) -> os.stat_result | None:
    """What is there under a path's name, if it may be replaced; None where nothing is. Else raises.

    folder: of the path, or, where that does not exist, of the nearest that does.
    """
    if not path.name or path.name == "..":
        raise OutputError(f"{str(path)!r}: is no file's name; expected one")
    if not os.access(".", os.W_OK | os.X_OK, dir_fd=folder):
        raise OutputError(f"{path}: cannot be written: nothing may be written in its folder")
    try:
        about = os.stat(path.name, dir_fd=folder, follow_symlinks=False) if exists else None
    except FileNotFoundError:
        about = None
    if about is not None and not stat.S_ISREG(about.st_mode):
        raise OutputError(f"{path}: is a folder, a link or a device; expected a file")
    if about is not None and not force:
        raise FileExistsError
    return about


def _name(beside: str, name: str, folder: int, force: bool) -> None:
    """Give the written file its name in one step. Raises ``FileExistsError`` unless it may replace one."""
    if force:
        os.replace(beside, name, src_dir_fd=folder, dst_dir_fd=folder)
        return
    try:
        os.link(beside, name, src_dir_fd=folder, dst_dir_fd=folder, follow_symlinks=False)
    except FileExistsError:
        raise
    except OSError:  # a file system without hard links: the name is taken first, then filled
        os.close(os.open(name, _NEW, 0o666, dir_fd=folder))
        os.replace(beside, name, src_dir_fd=folder, dst_dir_fd=folder)


def _forget(beside: str, folder: int) -> None:
    with suppress(FileNotFoundError):
        os.unlink(beside, dir_fd=folder)
