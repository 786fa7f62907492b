"""Rows of a partition that each hold all there is on one subject, and are written where that has changed.

What is counted by course run, kind or source has no row of its own an item: it is small, and most of it
changes together. But it grows with the course runs that there are, so it is not part of the checkpoint's
mark, which must fit into one record. The mark names the sections by their digests; a section that is not the
one that the mark names shows that rows were lost.
"""

from collections.abc import Iterator, Mapping
from hashlib import blake2b
from typing import Any

import orjson

from schemas.errors import HomeroomError

_KIND = b"s|"


class LostRowsError(HomeroomError, ValueError):
    """The state topic does not hold what its mark says."""


class Sections:
    """The sections as they were last written. ``digests``: by name, as :attr:`digests` gave them."""

    def __init__(self, digests: Mapping[str, str] | None = None) -> None:
        self.digests: dict[str, str] = dict(digests or {})

    def changed(self, contents: Mapping[str, Any]) -> Iterator[tuple[bytes, bytes]]:
        """The rows of those contents, by name, that are not as they were last written; they now are."""
        for name, content in contents.items():
            value = orjson.dumps(content)
            digest = _digest(value)
            if self.digests.get(name) != digest:
                self.digests[name] = digest
                yield _KIND + name.encode(), value

    def take(self, rows: dict[bytes, bytes]) -> dict[str, Any]:
        """The contents by name, their rows taken out. Raises ``LostRowsError`` where one is not as it was."""
        found = {}
        for name, digest in self.digests.items():
            value = rows.pop(_KIND + name.encode(), None)
            if value is None or _digest(value) != digest:
                raise LostRowsError(f"the mark belongs to other {name} than are there")
            found[name] = orjson.loads(value)
        return found


def _digest(value: bytes) -> str:
    return blake2b(value, digest_size=16).hexdigest()
