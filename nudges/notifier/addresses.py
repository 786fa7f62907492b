"""The address book: where a learner can be reached. Asked for each message, never stored, never logged.

The topics carry learner ids alone. A file or a service of the platform's knows the addresses; both answer
with the same few fields, ``{"email": "…", "sms": "+49…", "push": "…", "name": "…"}``, all optional. What
they answer is checked, since an address becomes a part of a provider's URL.
"""

import csv
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol
from urllib.parse import quote

import aiohttp

from schemas.learner import Channel

ANSWER_S = 10.0

FORMS: Mapping[Channel, re.Pattern[str]] = {
    "email": re.compile(r"[^\s@,;<>\"()\[\]\\:]{1,64}@[A-Za-z0-9.-]{1,190}"),
    "sms": re.compile(r"\+?[0-9]{5,15}"),
    "push": re.compile(r"[\x21-\x7e]{1,512}"),
    "in_app": re.compile(r"[\x21-\x7e]{1,512}"),
    "instructor": re.compile(r"[\x21-\x7e]{1,512}"),
}
"""What an address of each channel looks like. One address: what separates several is not in it."""

MAX_NAME = 80


class AddressBookError(RuntimeError):
    """The address book cannot be read, or does not answer. The message holds no address."""


@dataclass(frozen=True, slots=True)
class Contact:
    """How to reach one learner, and what to call them. Shows nothing of itself in a log."""

    addresses: Mapping[Channel, str] = field(repr=False)
    name: str = field(default="", repr=False)


class AddressBook(Protocol):
    """Where contacts come from."""

    async def find(self, learner: str) -> Contact | None:
        """The learner's contact, None where the book has none. Raises ``AddressBookError``."""

    async def close(self) -> None:
        """Let go of connections."""


def contact_of(fields: Mapping[str, object]) -> Contact:
    """The contact that a file or a service tells. What does not look like an address is left out."""
    addresses = {
        channel: value
        for channel, form in FORMS.items()
        if isinstance(value := fields.get(channel), str) and form.fullmatch(value)
    }
    name = fields.get("name")
    shown = " ".join(name.split())[:MAX_NAME] if isinstance(name, str) else ""
    return Contact(addresses, shown)


class EmptyBook:
    """For providers that need no address."""

    async def find(self, learner: str) -> Contact | None:  # noqa: ARG002 - knows nobody
        return None

    async def close(self) -> None:
        """Nothing is open."""


class FileBook:
    """A file: JSON, ``{learner: {field: value}}``, or CSV with a column ``learner`` and one a field.

    Read anew when it has changed; while the new one cannot be read, that is told and nothing is sent.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._read_at: tuple[int, int] | None = None
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
            if stamp != self._read_at:
                text = self._path.read_text(encoding="utf-8-sig")
                self._fields = _from_csv(text) if self._path.suffix == ".csv" else _from_json(text)
                self._read_at = stamp
        except (OSError, ValueError) as error:
            # Not the error's own words: they may quote the file.
            raise AddressBookError(f"{self._path} cannot be read: {type(error).__name__}") from None


def _from_json(text: str) -> dict[str, Mapping[str, object]]:
    found = json.loads(text)
    if not isinstance(found, dict) or not all(isinstance(one, dict) for one in found.values()):
        raise ValueError("expected an object of objects")
    return found


def _from_csv(text: str) -> dict[str, Mapping[str, object]]:
    rows = csv.DictReader(text.splitlines())
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
        if self._session is None:
            self._session = aiohttp.ClientSession(
                headers=self._headers, timeout=aiohttp.ClientTimeout(total=ANSWER_S)
            )
        url = self._url.replace("{learner}", quote(learner, safe=""))
        try:
            async with self._session.get(url, allow_redirects=False) as answer:
                if answer.status == 404:
                    return None
                if answer.status != 200:
                    raise AddressBookError(f"the address book answers {answer.status}")
                fields = await answer.json()
        except (aiohttp.ClientError, TimeoutError, ValueError) as error:
            # Not the error's own words: they hold the URL, and with it the learner.
            raise AddressBookError(f"the address book cannot be asked: {type(error).__name__}") from None
        if not isinstance(fields, dict):
            raise AddressBookError("the address book does not answer with a JSON object")
        return contact_of(fields)

    async def close(self) -> None:
        if self._session is not None:
            await self._session.close()


def book_of(place: str, token: str = "") -> AddressBook:
    """The address book at a place: a URL with ``{learner}`` in it, or a file that ends in .json or .csv.

    Raises ``ValueError`` for anything else.
    """
    if place.startswith(("http://", "https://")):
        if "{learner}" not in place:
            raise ValueError("the URL of the address book has no {learner} in it")
        return HttpBook(place, token)
    if not place.endswith((".json", ".csv")):
        raise ValueError(f"found {place!r}; expected a URL with {{learner}}, or a .json or .csv file")
    return FileBook(Path(place))
