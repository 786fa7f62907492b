"""The address book: where a learner can be reached. Looked up for each message, never stored or logged.

The topics carry learner ids alone. A file or a service of the platform has the addresses; both give the
same few fields, ``{"email": "…", "sms": "+49…", "push": "…", "name": "…"}``, all optional. Each value is
checked: it is exactly one address, or it is not used (:mod:`notifier.address_formats`).
"""

import csv
import io
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol
from urllib.parse import quote

import aiohttp
from yarl import URL

from notifier.address_formats import address_of
from nudges.learners import CHANNELS
from schemas.errors import HomeroomError
from schemas.learner import Channel

TIMEOUT_S = 10.0

MAX_NAME = 80


class AddressBookError(HomeroomError, RuntimeError):
    """The address book cannot be read, or does not answer. The message contains no address."""


@dataclass(frozen=True, slots=True)
class Contact:
    """One learner's addresses and name, which ``repr`` does not show. ``unusable`` are the channels whose
    value is not exactly one address."""

    addresses: Mapping[Channel, str] = field(repr=False)
    name: str = field(default="", repr=False)
    unusable: frozenset[Channel] = frozenset()


class AddressBook(Protocol):
    """A source of contacts."""

    async def find(self, learner: str) -> Contact | None:
        """The learner's contact, None where the book has none.

        Raises:
            AddressBookError: the book cannot be read, or does not answer.
        """

    async def close(self) -> None:
        """Close connections."""


def contact_of(fields: Mapping[str, object]) -> Contact:
    """The contact in the fields of a file or a service."""
    raw: dict[Channel, object] = {
        channel: value for channel in CHANNELS if not _empty(value := fields.get(channel))
    }
    addresses = {channel: address_of(channel, value) for channel, value in raw.items()}
    name = fields.get("name")
    return Contact(
        addresses={channel: address for channel, address in addresses.items() if address is not None},
        name=" ".join(name.split())[:MAX_NAME] if isinstance(name, str) else "",
        unusable=frozenset(channel for channel, address in addresses.items() if address is None),
    )


def _empty(value: object) -> bool:
    return value is None or (isinstance(value, str) and not value.strip())


class EmptyBook:
    """An address book without entries, for providers that need no address."""

    async def find(self, learner: str) -> Contact | None:  # noqa: ARG002 - has no entries
        return None

    async def close(self) -> None:
        """Nothing is open."""


class FileBook:
    """A file: JSON, ``{learner: {field: value}}``, or CSV with a column ``learner`` and one a field.

    It is read again when it has changed; while it cannot be read, ``find`` raises and nothing is sent.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._stamp: tuple[int, int] | None = None
        self._fields: dict[str, Mapping[str, object]] = {}

    async def find(self, learner: str) -> Contact | None:
        self._refresh()
        fields = self._fields.get(learner)
        return None if fields is None else contact_of(fields)

    async def close(self) -> None:
        """Nothing is open."""

    def _refresh(self) -> None:
        try:
            status = self._path.stat()
            stamp = status.st_mtime_ns, status.st_size
            if stamp != self._stamp:
                text = self._path.read_text(encoding="utf-8-sig")
                self._fields = _from_csv(text) if self._path.suffix == ".csv" else _from_json(text)
                self._stamp = stamp
        except (OSError, ValueError, csv.Error, RecursionError) as error:
            # Not the error's own words: they may quote the file.
            raise AddressBookError(f"{self._path} cannot be read: {type(error).__name__}") from None


def _from_json(text: str) -> dict[str, Mapping[str, object]]:
    book = json.loads(text)
    if not isinstance(book, dict) or not all(isinstance(fields, dict) for fields in book.values()):
        raise ValueError("expected an object of objects")
    return book


def _from_csv(text: str) -> dict[str, Mapping[str, object]]:
    # Not text.splitlines(): to it some characters that a name may hold begin a line, and the rest of such a
    # name would be the row of another learner.
    rows = csv.DictReader(io.StringIO(text, newline=""))
    if "learner" not in (rows.fieldnames or ()):
        raise ValueError("expected a column named learner")
    return {row["learner"]: row for row in rows}


class HttpBook:
    """A service: ``GET`` of a URL with ``{learner}`` in it, answered with the fields as JSON, or 404."""

    def __init__(self, url: str, token: str = "") -> None:
        self._url = url
        self._headers = {"Authorization": f"Bearer {token}"} if token else {}
        self._session: aiohttp.ClientSession | None = None

    async def find(self, learner: str) -> Contact | None:
        if learner in (".", ".."):  # a path segment that leads elsewhere, encoded or not
            return None
        if self._session is None:
            self._session = aiohttp.ClientSession(
                headers=self._headers, timeout=aiohttp.ClientTimeout(total=TIMEOUT_S)
            )
        url = URL(self._url.replace("{learner}", quote(learner, safe="")), encoded=True)
        try:
            async with self._session.get(url, allow_redirects=False) as response:
                if response.status == 404:
                    return None
                if response.status != 200:
                    raise AddressBookError(f"the address book answers {response.status}")
                fields = await response.json()
        except (aiohttp.ClientError, OSError, ValueError, RecursionError) as error:
            # Not the error's own words: they hold the URL, and with it the learner.
            raise AddressBookError(f"the address book cannot be asked: {type(error).__name__}") from None
        if not isinstance(fields, dict):
            raise AddressBookError("the address book does not answer with a JSON object")
        return contact_of(fields)

    async def close(self) -> None:
        if self._session is not None:
            await self._session.close()


def open_address_book(location: str, token: str = "") -> AddressBook:
    """The address book at a location: a URL with ``{learner}`` in it, or a file that ends in .json or .csv.

    Raises:
        ValueError: the location is anything else.
    """
    if location.startswith(("http://", "https://")):
        if "{learner}" not in location:
            raise ValueError("the URL of the address book has no {learner} in it")
        return HttpBook(location, token)
    if not location.endswith((".json", ".csv")):
        raise ValueError(f"found {location!r}; expected a URL with {{learner}}, or a .json or .csv file")
    return FileBook(Path(location))
