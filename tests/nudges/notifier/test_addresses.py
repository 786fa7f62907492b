"""Address books of every kind give the same contacts, and errors that hold no address."""

import json
from pathlib import Path

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from nudges.notifier.addresses import AddressBookError, Contact, FileBook, HttpBook, book_of, contact_of

FIELDS = {"email": "ann@example.org", "sms": "+491701234567", "name": "Ann  B."}
ANN = Contact({"email": "ann@example.org", "sms": "+491701234567"}, "Ann B.")


async def test_json_and_csv_say_the_same(tmp_path: Path) -> None:
    (tmp_path / "book.json").write_text(json.dumps({"ann": FIELDS}), encoding="utf-8")
    csv = "learner,name,email,sms,push\nann,Ann  B.,ann@example.org,+491701234567,\n"
    (tmp_path / "book.csv").write_text(csv, encoding="utf-8-sig")
    for name in ("book.json", "book.csv"):
        book = book_of(str(tmp_path / name))
        assert await book.find("ann") == ANN
        assert await book.find("bob") is None


async def test_a_file_that_changes_is_read_anew_and_a_broken_one_is_told(tmp_path: Path) -> None:
    path = tmp_path / "book.json"
    book = FileBook(path)
    with pytest.raises(AddressBookError, match="FileNotFoundError"):
        await book.find("ann")
    path.write_text(json.dumps({"ann": FIELDS}), encoding="utf-8")
    assert await book.find("ann") == ANN
    path.write_text('{"ann": "ann@example.org"', encoding="utf-8")
    with pytest.raises(AddressBookError) as told:
        await book.find("ann")
    assert "example.org" not in str(told.value)


async def test_a_service_is_asked_and_its_failures_are_told() -> None:
    asked = []

    async def answer(request: web.Request) -> web.Response:
        asked.append((request.raw_path, request.headers.get("Authorization")))
        if "ann" in request.path:
            return web.json_response(FIELDS)
        return web.Response(status=503 if "away" in request.path else 404)

    app = web.Application()
    app.router.add_get("/people/{learner}", answer)
    async with TestServer(app) as server:
        book = HttpBook(str(server.make_url("/people/")) + "{learner}", "a token")
        assert await book.find("ann/../x") == ANN
        assert await book.find("bob") is None
        with pytest.raises(AddressBookError, match="answers 503"):
            await book.find("away")
        await book.close()
    assert asked[0] == ("/people/ann%2F..%2Fx", "Bearer a token")
    gone = HttpBook("http://127.0.0.1:1/{learner}")
    with pytest.raises(AddressBookError) as told:
        await gone.find("secret-learner")
    assert "secret-learner" not in str(told.value)
    await gone.close()


@pytest.mark.parametrize(
    "email",
    [
        "a@example.org,b@example.org",
        "a@example.org b",
        "a@b\r\nBcc: x@y",
        "Ann <a@example.org>",
        "ann",
        "",
        7,
    ],
)
def test_what_is_not_one_address_is_left_out(email: object) -> None:
    """And it is known that something was given, which nothing is not."""
    found = contact_of({"email": email})
    assert found.addresses == {}
    assert found.unusable == ({"email"} if email else set())


def test_a_contact_shows_nothing_in_a_log() -> None:
    assert "example" not in repr(ANN)
    assert "Ann" not in repr(ANN)


@pytest.mark.parametrize("place", ["https://example.org/people", "book.xml"])
def test_a_place_that_is_no_book_is_refused(place: str) -> None:
    with pytest.raises(ValueError, match="learner"):
        book_of(place)
