"""Address books of every kind give the same contacts, and errors that hold no address."""

import json
from pathlib import Path
from urllib.parse import quote

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from notifier.addresses import AddressBookError, Contact, FileBook, HttpBook, contact_of, open_address_book

FIELDS = {"email": "ann@example.org", "sms": "+491701234567", "name": "Ann  B."}
ANN = Contact({"email": "ann@example.org", "sms": "+491701234567"}, "Ann B.")


async def test_json_and_csv_say_the_same(tmp_path: Path) -> None:
    (tmp_path / "book.json").write_text(json.dumps({"ann": FIELDS}), encoding="utf-8")
    csv = "learner,name,email,sms,push\nann,Ann  B.,ann@example.org,+491701234567,\n"
    (tmp_path / "book.csv").write_text(csv, encoding="utf-8-sig")
    for name in ("book.json", "book.csv"):
        book = open_address_book(str(tmp_path / name))
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
    with pytest.raises(AddressBookError) as caught:
        await book.find("ann")
    assert "example.org" not in str(caught.value)


async def test_a_service_is_asked_and_its_failures_are_told() -> None:
    paths = []

    async def answer(request: web.Request) -> web.Response:
        paths.append((request.raw_path, request.headers.get("Authorization")))
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
    assert paths[0] == ("/people/ann%2F..%2Fx", "Bearer a token")
    gone = HttpBook("http://127.0.0.1:1/{learner}")
    with pytest.raises(AddressBookError) as caught:
        await gone.find("secret-learner")
    assert "secret-learner" not in str(caught.value)
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
    contact = contact_of({"email": email})
    assert contact.addresses == {}
    assert contact.unusable == ({"email"} if email else set())


def test_a_contact_shows_nothing_in_a_log() -> None:
    assert "example" not in repr(ANN)
    assert "Ann" not in repr(ANN)


@pytest.mark.parametrize("place", ["https://example.org/people", "book.xml"])
def test_a_place_that_is_no_book_is_refused(place: str) -> None:
    with pytest.raises(ValueError, match="learner"):
        open_address_book(place)


async def test_a_name_that_holds_a_line_s_end_is_not_the_row_of_another_learner(tmp_path: Path) -> None:
    rows = "learner,name,email\nbob,Bob,bob@example.org\nann,Ann\u2028bob,ann@example.org\n"
    (tmp_path / "book.csv").write_text(rows, encoding="utf-8")
    book = FileBook(tmp_path / "book.csv")
    bob, ann = await book.find("bob"), await book.find("ann")
    assert bob == Contact({"email": "bob@example.org"}, "Bob")
    assert ann == Contact({"email": "ann@example.org"}, "Ann bob")


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("book.csv", "learner,email\nann," + "a" * 200_000 + "\n"),
        ("book.json", '{"ann": ' + "[" * 200_000),
        ("book.json", '{"ann": "\ud800"}'),
    ],
)
async def test_a_file_that_no_reader_bears_is_told_and_no_end(
    tmp_path: Path, name: str, content: str
) -> None:
    (tmp_path / name).write_bytes(content.encode("utf-8", "surrogatepass"))
    with pytest.raises(AddressBookError, match="cannot be read"):
        await FileBook(tmp_path / name).find("ann")


async def test_a_service_is_asked_for_the_learner_as_written_and_for_nobody_else() -> None:
    """Of ``..`` a path makes another one, where the service may know somebody."""
    paths = []

    async def answer(request: web.Request) -> web.Response:
        paths.append(request.raw_path)
        return web.json_response({"email": "root@example.org"})

    app = web.Application()
    app.router.add_get(r"/{any:[\s\S]*}", answer)
    async with TestServer(app) as server:
        book = HttpBook(str(server.make_url("/people/")) + "{learner}")
        for learner in ("..", "."):
            assert await book.find(learner) is None
        for learner in ("a?b#c", "%2e%2e", "a+b", "é", "a\r\nb"):
            assert await book.find(learner) is not None
        await book.close()
    assert paths == [
        f"/people/{quote(learner, safe='')}" for learner in ("a?b#c", "%2e%2e", "a+b", "é", "a\r\nb")
    ]
