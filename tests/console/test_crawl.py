"""Every link and every form of every page is followed: none leads to an error, whatever is chosen in it."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from html.parser import HTMLParser
from itertools import product
from urllib.parse import urlencode, urljoin, urlsplit

import httpx
import pytest

from console.app import create_app
from console.limits import Limit
from tests.console.conftest import KEYS, Served, keys, served
from tests.console.test_pages import proposed

ALIKE = {"/learners/": 12, "cursor=": 8}
"""Of pages that are alike, and there are many of, so many are opened."""

MOST_POSTED = 3
"""How often a form of one sort is sent: what it says is kept, and other tests need some unanswered."""

LAST = "/logout"


@dataclass(slots=True)
class Form:
    """A form with what can be chosen in it."""

    action: str
    method: str
    fields: dict[str, list[str]] = field(default_factory=dict)
    buttons: list[tuple[str, str]] = field(default_factory=list)

    def sendings(self) -> Iterator[dict[str, str]]:
        """All that a browser could send: each button with each combination of what can be chosen."""
        for chosen in product(*self.fields.values()):
            for name, value in self.buttons or [("", "")]:
                yield dict(zip(self.fields, chosen, strict=True)) | ({name: value} if name else {})


class Page(HTMLParser):
    """The links and forms of a page."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.links: list[str] = []
        self.forms: list[Form] = []
        self._select = ""
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = {name: value or "" for name, value in attrs}
        if tag in ("a", "link"):
            self.links.append(values["href"])
        elif tag in ("script", "img") and "src" in values:
            self.links.append(values["src"])
        elif tag == "form":
            self.forms.append(Form(values.get("action", ""), values.get("method", "get")))
        elif tag == "input":
            self.forms[-1].fields[values["name"]] = [values.get("value", "")]
        elif tag == "select":
            self._select = values["name"]
            self.forms[-1].fields[self._select] = []
        elif tag == "option":
            self.forms[-1].fields[self._select].append(values["value"])
        elif tag == "button":
            self.forms[-1].buttons.append((values.get("name", ""), values.get("value", "")))


@dataclass(slots=True)
class Crawler:
    """Follows what it is shown, each address once."""

    client: httpx.Client
    seen: dict[str, int] = field(default_factory=dict)
    posted: dict[tuple[str, str], int] = field(default_factory=dict)
    waiting: list[str] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)
    answered: set[str] = field(default_factory=set)
    last_verdict: str = "none yet"

    def crawl(self, start: str) -> None:
        self.waiting.append(start)
        while self.waiting:
            path = self.waiting.pop(0)
            answer = self.client.get(path)
            self._judge(f"GET {path}", answer)
            self.seen[path] = answer.status_code
            if answer.headers["content-type"].startswith("text/html"):
                page = Page(answer.text)
                for link in page.links:
                    self._found(urljoin(path, link))
                for form in page.forms:
                    self._try(path, form)

    def _found(self, link: str) -> None:
        parts = urlsplit(link)
        assert not parts.netloc, f"{link} leads elsewhere"
        path = parts.path + (f"?{parts.query}" if parts.query else "")
        alike = [sort for sort in ALIKE if sort in path]
        paths = [*self.seen, *self.waiting]
        if path not in paths and all(sum(sort in other for other in paths) < ALIKE[sort] for sort in alike):
            self.waiting.append(path)

    def _try(self, path: str, form: Form) -> None:
        action = urljoin(path, form.action)
        for sent in form.sendings():
            if form.method == "get":
                self._found(f"{action}?{urlencode(sent)}")
                continue
            sort = (action, sent.get("kind", sent.get("verdict", "")))
            if action == LAST or self.posted.get(sort, 0) >= MOST_POSTED:
                continue
            if sent.get("nudge") in self.answered or sent.get("verdict") == self.last_verdict:
                continue  # what is answered is answered; the other answer goes to the next one that waits
            self.answered |= {sent["nudge"]} if "nudge" in sent else set()
            self.last_verdict = sent.get("verdict", self.last_verdict)
            self.posted[sort] = self.posted.get(sort, 0) + 1
            answer = self.client.post(action, data=sent)
            self._judge(f"POST {action} {sent} of {path}", answer)
            self._found(answer.headers.get("location", "/"))

    def _judge(self, what: str, answer: httpx.Response) -> None:
        if not 200 <= answer.status_code < 400:
            self.failed.append(f"{answer.status_code} {what}")


@pytest.mark.parametrize("who", ["instructor", "admin", "viewer", "nobody"])
def test_no_link_and_no_form_leads_to_an_error(console: Served, who: str) -> None:
    parts, plenty = console.app.state.service.parts, Limit(rate=1e6, burst=10**6)
    with (
        proposed(console, f"crawled-{who}", 0),
        proposed(console, f"crawled-too-{who}", 1),
        served(create_app(parts, keys(), plenty, plenty)) as url,
        httpx.Client(base_url=url, headers={"Origin": url}, timeout=30) as client,
    ):
        (form,) = Page(client.get("/login").text).forms
        sent = next(form.sendings()) | {"key": KEYS[who][0]}
        assert client.post(form.action, data=sent).status_code == 303
        crawler = Crawler(client)
        crawler.crawl("/")
        assert client.post(LAST).status_code == 303
        assert client.get("/courses").status_code == 303  # … to where a key is shown
    assert crawler.failed == []
    if who in ("instructor", "admin"):
        assert {action for action, _ in crawler.posted} == {"/feedback", "/verdict"}
        assert {("/verdict", "approved"), ("/verdict", "declined")} <= set(crawler.posted)
        assert any("level=&" in path for path in crawler.seen)
    if who == "admin":
        assert any("cursor=" in path for path in crawler.seen), "there is no second page: it shows little"


@pytest.mark.parametrize(
    "path",
    ["/?level=higher", "/?order=x", "/?cursor=x", "/?note=" + 30 * "x", "/course", "/nowhere", "/learners/x"],
)
def test_an_address_that_is_wrong_is_a_page_that_says_so(console: Served, path: str) -> None:
    with httpx.Client(base_url=console.url, headers={"Origin": console.url}, timeout=30) as client:
        assert client.post("/login", data={"key": KEYS["instructor"][0]}).status_code == 303
        answer = client.get(path)
    assert answer.status_code in (404, 422)
    assert answer.headers["content-type"].startswith("text/html")
    assert "Back to today" in answer.text
