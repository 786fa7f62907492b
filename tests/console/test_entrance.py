"""How somebody gets in: by a link into the middle, through a proxy, and into whichever process answers."""

from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlencode

import httpx
import pytest

from cli.wiring.console import server_options, site_of
from console.app import create_app
from console.guard import Site
from console.limits import Limit
from console.parts import Parts
from console.readers import Readers
from sinks.address import StoreAddress
from streams.settings import Settings, SettingsError
from tests.console.conftest import COURSE, KEYS, Served, keys, served

KEY = KEYS["instructor"][0]
PUBLIC = "https://homeroom.example"


@contextmanager
def entrance(**named: str) -> Iterator[httpx.Client]:
    """A console of these settings, over a store that is away: a key is looked at all the same."""
    settings = Settings.model_validate({f"console_{name}": value for name, value in named.items()})
    readers = Readers(StoreAddress("127.0.0.1", 1))
    app = create_app(Parts(readers), keys(), per_stranger=Limit(0.001, 3), site=site_of(settings))
    with served(app, **server_options(settings)) as url, httpx.Client(base_url=url, timeout=20) as client:
        yield client
    readers.close()


def sign_in(client: httpx.Client, key: str = KEY, **headers: str) -> httpx.Response:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return client.post("/login", data={"key": key}, headers=named)


@pytest.mark.parametrize("path", ["/courses", f"/course?run={COURSE}", "/?level=high&order=changed", "/"])
def test_a_link_into_the_middle_is_there_after_the_sign_in(console: Served, path: str) -> None:
    with httpx.Client(base_url=console.url, headers={"Origin": console.url}, timeout=20) as client:
        response = client.get(path)
        assert response.status_code == 303
        page = client.get(response.headers["location"])
        assert page.status_code == 200
        wanted = dict(httpx.URL(response.headers["location"]).params).get("next", "/")
        assert wanted == path
        wrong = client.post("/login", data={"key": "hr_wrong", "next": wanted})
        assert wrong.status_code == 401
        assert f'name="next" value="{wanted.replace("&", "&amp;")}"' in wrong.text
        answer = client.post("/login", data={"key": KEY, "next": wanted})
        assert answer.headers["location"] == path
        assert client.get(path).status_code == 200


@pytest.mark.parametrize(
    "wanted",
    ["https://evil.example/", "//evil.example", "/\\evil.example", "/\t/evil.example", "javascript:1"],
)
def test_a_sign_in_leads_nowhere_else(wanted: str) -> None:
    with entrance() as client:
        page = client.get(f"/login?{urlencode({'next': wanted})}")
        assert 'name="next" value="/"' in page.text
        answer = client.post(
            "/login", data={"key": KEY, "next": wanted}, headers={"Origin": str(client.base_url)}
        )
        assert answer.headers["location"] == "/"


def test_a_proxy_that_asks_by_another_name(caplog: pytest.LogCaptureFixture) -> None:
    with entrance() as client:
        assert sign_in(client, Origin=PUBLIC).status_code == 403
        assert "HOMEROOM_CONSOLE_PUBLIC_URL" in caplog.text
        # what a browser of today adds behind TLS says enough
        assert sign_in(client, Origin=PUBLIC, Sec_Fetch_Site="same-origin").status_code == 303
        assert sign_in(client, Origin=PUBLIC, Sec_Fetch_Site="same-site").status_code == 403
    with entrance(public_url=PUBLIC) as client:
        answer = sign_in(client, Origin=PUBLIC)
        assert answer.status_code == 303
        assert "Secure" in answer.headers["set-cookie"]
        assert sign_in(client, Origin="https://evil.example").status_code == 403
        assert sign_in(client, Origin="https://homeroom.example.evil.example").status_code == 403
        cookie = answer.headers["set-cookie"].partition(";")[0]
        out = client.post("/logout", headers={"Origin": PUBLIC, "Cookie": cookie})
        assert out.headers["location"] == "/login"
        assert client.get("/api/v1/me", headers={"Cookie": cookie}).status_code == 401


def test_somebody_s_wrong_keys_behind_a_proxy_lock_out_nobody_else() -> None:
    with entrance(proxies="127.0.0.1, 10.0.0.1") as client:
        origin = str(client.base_url).rstrip("/")
        guesses = [
            sign_in(client, "hr_wrong", Origin=origin, X_Forwarded_For="192.0.2.1").status_code
            for _ in range(4)
        ]
        assert guesses == [401, 401, 401, 429]
        other = sign_in(client, "hr_wrong", Origin=origin, X_Forwarded_For="192.0.2.2")
        assert other.status_code == 401
    with entrance(proxies="10.0.0.1") as client:  # whom nobody named is not believed
        origin = str(client.base_url).rstrip("/")
        guesses = [
            sign_in(client, "hr_wrong", Origin=origin, X_Forwarded_For=f"192.0.2.{number}").status_code
            for number in range(4)
        ]
        assert guesses == [401, 401, 401, 429]


def test_processes_that_share_a_secret_share_sessions() -> None:
    secret = 40 * "s"
    with entrance(secret=secret) as first, entrance(secret=secret) as second, entrance() as other:
        answer = sign_in(first, Origin=str(first.base_url).rstrip("/"))
        cookie = {"Cookie": answer.headers["set-cookie"].partition(";")[0]}
        assert first.get("/api/v1/me", headers=cookie).json()["name"] == "Ada Byron"
        assert second.get("/api/v1/me", headers=cookie).json()["name"] == "Ada Byron"
        assert other.get("/api/v1/me", headers=cookie).status_code == 401


def test_a_secret_that_is_too_short_stops_the_start() -> None:
    with pytest.raises(SettingsError, match="HOMEROOM_CONSOLE_SECRET has 5 characters; expected at least 32"):
        site_of(Settings.model_validate({"console_secret": "short"}))
    assert site_of(Settings()) == Site()
