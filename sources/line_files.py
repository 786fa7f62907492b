"""Files of one record a line: plain, gzip or Zstandard, or standard input.

What a line means is its reader's affair.
"""

import codecs
import gzip
import sys
import zlib
from collections.abc import Iterator
from io import BufferedIOBase, BufferedReader, RawIOBase
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, Self, cast

import zstandard

from schemas.errors import HomeroomError

MAX_LINE = 1_048_576
"""Bytes of the longest line: Kafka's default limit of a message, and a bound for a file without line ends."""

_PEEKED = 256
"""Bytes of a file by which its form is told."""

_READ_ERRORS = (OSError, EOFError, zlib.error, zstandard.ZstdError)
"""Raised for a file that is missing or a folder, and for one whose compression is wrong or truncated."""


_UNPACKERS = {".bz2": "bzip2 -dc", ".xz": "xz -dc", ".zip": "unzip -p"}
"""By the suffix of a file that is packed in another way: the command that unpacks it to a pipe."""


class LineFileError(HomeroomError, ValueError):
    """A file cannot be read; the message names the file, the line if it is known, and what was expected."""


def files_in(folder: Path) -> list[Path]:
    """All files of a folder and of the folders in it, by path, but hidden ones."""
    return sorted(
        file
        for file in folder.rglob("*")
        if file.is_file() and not any(part.startswith(".") for part in file.relative_to(folder).parts)
    )


class LineFile:
    """A file of lines; ``-`` is standard input, ``.gz`` and ``.zst`` are decompressed.

    It is opened and its first bytes are read when it is made. A context manager: closes the file, but not
    standard input.
    """

    def __init__(self, path: Path | str) -> None:
        """Open the file.

        Raises:
            LineFileError: it cannot be opened, or is not compressed as its name says.
        """
        self.name = "stdin" if str(path) == "-" else str(path)
        self._raw, self._file = _open(path)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._raw is not None:
            self._file.close()
            self._raw.close()

    @property
    def bytes_read(self) -> int:
        """Bytes of the file, as it lies on disk, that were read so far; 0 for standard input."""
        return 0 if self._raw is None else self._raw.tell()

    def starts_with(self, start: bytes) -> bool:
        """Whether the file begins with these bytes, after a byte order mark and white space."""
        if not hasattr(self._file, "peek"):  # a standard input that Python was given instead of a file
            return False
        try:
            peeked = bytes(cast(BufferedReader, self._file).peek(_PEEKED))[:_PEEKED]
        except _READ_ERRORS as error:
            raise LineFileError(f"{self.name}: {_fault(error)}") from None
        return peeked.removeprefix(codecs.BOM_UTF8).lstrip().startswith(start)

    def document(self, limit: int) -> bytes:
        """The whole file, without its byte order mark.

        Raises:
            LineFileError: it has more than ``limit`` bytes, or cannot be read to its end.
        """
        try:
            content = bytes(self._file.read(limit + 1))
        except _READ_ERRORS as error:
            raise LineFileError(f"{self.name}: {_fault(error)}") from None
        if len(content) > limit:
            raise LineFileError(
                f"{self.name}: is one JSON document of more than {limit:,} bytes; expected one record a line"
            )
        return content.removeprefix(codecs.BOM_UTF8)

    def lines(self) -> Iterator[bytes]:
        """The lines with their ends, the first without its byte order mark.

        Of a line longer than ``MAX_LINE`` the first ``MAX_LINE + 1`` bytes are returned; the rest is skipped.

        Raises:
            LineFileError: the file cannot be read to its end.
        """
        number = 0
        try:
            while line := self._file.readline(MAX_LINE + 1):
                number += 1
                part = line
                while len(part) > MAX_LINE and not part.endswith(b"\n"):
                    part = self._file.readline(MAX_LINE + 1)
                yield line.removeprefix(codecs.BOM_UTF8) if number == 1 else line
        except _READ_ERRORS as error:
            raise LineFileError(f"{self.name}:{number + 1}: {_fault(error)}") from None


def _open(path: Path | str) -> tuple[BinaryIO | None, BufferedIOBase]:
    """The file on disk (None for standard input), and the same decompressed, its first bytes readable."""
    if str(path) == "-":
        return None, cast(BufferedIOBase, sys.stdin.buffer)
    if unpacker := _UNPACKERS.get(Path(path).suffix):
        raise LineFileError(
            f"{str(path)!r}: expected a plain file, gzip or Zstandard; read it as {unpacker} FILE | … -"
        )
    try:
        raw = open(path, "rb")  # noqa: SIM115 - closed by LineFile
        file = _decompressed(raw, Path(path).suffix)
        file.peek(1)
    except (*_READ_ERRORS, ValueError) as error:
        raise LineFileError(f"{str(path)!r}: {_fault(error)}") from None
    return raw, cast(BufferedIOBase, file)


def _decompressed(raw: BinaryIO, suffix: str) -> Any:
    if suffix == ".gz":
        return gzip.GzipFile(fileobj=raw)
    if suffix == ".zst":
        stream = zstandard.ZstdDecompressor().stream_reader(raw, read_across_frames=True)
        return BufferedReader(cast(RawIOBase, stream), 1 << 16)
    return raw


def _fault(error: Exception) -> str:
    """What is wrong with a file and what was expected, as a phrase."""
    if isinstance(error, gzip.BadGzipFile | EOFError | zlib.error | zstandard.ZstdError):
        return f"is not packed as its name says, or not to its end ({error}); expected gzip or Zstandard"
    return f"cannot be read: {getattr(error, 'strerror', None) or error}; expected a file of JSON lines"
