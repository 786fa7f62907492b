"""Sections: state rows that each hold all counts of one subject, and are written if these have changed.

Counts by course run, kind or source have no rows of their own: they are small, and most change together. But
they grow with the number of course runs, so they are not part of the checkpoint's mark, which must fit into
one record. The mark has the digest of each section; a digest that differs shows that rows were lost.
"""

from collections.abc import Iterator, Mapping
from hashlib import blake2b
from typing import Any

import orjson

from schemas.errors import HomeroomError

_KIND = b"s|"


class LostRowsError(HomeroomError, ValueError):
    """The state topic does not have the sections that its mark names."""


class Sections:
    """The digests of the sections as they were last written, by name."""

    def __init__(self, digests: Mapping[str, str] | None = None) -> None:
        self.digests: dict[str, str] = dict(digests or {})

    def pop_changed(self, contents: Mapping[str, Any]) -> Iterator[tuple[bytes, bytes]]:
        """The rows of the contents, by name, that changed; they count as written afterwards."""
        for name, content in contents.items():
            value = orjson.dumps(content)
            digest = _digest(value)
            if self.digests.get(name) != digest:
                self.digests[name] = digest
                yield _KIND + name.encode(), value

    def pop_contents(self, rows: dict[bytes, bytes]) -> dict[str, Any]:
        """Remove the sections from the rows; returns their contents by name.

        Raises:
            LostRowsError: a section is missing or not the one that was written last.
        """
        contents = {}
        for name, digest in self.digests.items():
            value = rows.pop(_KIND + name.encode(), None)
            if value is None or _digest(value) != digest:
                raise LostRowsError(f"the mark belongs to other {name} than are there")
            contents[name] = orjson.loads(value)
        return contents


def _digest(value: bytes) -> str:
    return blake2b(value, digest_size=16).hexdigest()
