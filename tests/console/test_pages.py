"""The page in a real Chromium, over a real run: every view, clicks that change something, use by all."""

import re
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from threading import Event
from typing import Any
from urllib.parse import urlsplit

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, BrowserContext, Locator, Page, Route, expect, sync_playwright

from console.app import create_app
from console.models import Risk
from console.pages.reasons import ReliefHint, help_of, muted_before
from console.pages.rendering import likely
from console.parts import Parts
from console.queries import nudges
from console.readers import Readers
from console.report import weekly
from sinks.address import StoreAddress
from sinks.store import ClickHouseWriter, StoreReader
from sinks.tables.risk import STANDING
from tests.console.conftest import COURSE, KEYS, Served, keys, served
from tests.required import lacking
from tests.sinks.rows import risk
from tests.stores import fresh_database

FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
NAMES = ("chromium", "chromium-browser", "google-chrome")
PATIENCE_MS = 15_000

MEANT = ("status of 4", "status of 5", "ERR_INCOMPLETE_CHUNKED_ENCODING", "ERR_CONNECTION_REFUSED")
"""What a browser complains of where a test means it: answers that are errors, a server that has gone."""

PHONE = {"width": 390, "height": 844}

Open = Callable[..., Page]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """The system's Chromium. For this module alone: Playwright's loop must not meet other tests'."""
    path = next((program for name in NAMES if (program := shutil.which(name))), None)
    if path is None:
        lacking("browser", f"none of {', '.join(NAMES)} is installed")
    expect.set_options(timeout=PATIENCE_MS)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture
def context_of(browser: Browser) -> Iterator[Callable[..., BrowserContext]]:
    """Contexts that note what a page complains of, and whom it asks besides us."""
    opened: list[BrowserContext] = []
    complaints: list[str] = []

    def make(url: str, **options: object) -> BrowserContext:
        context = browser.new_context(base_url=url, **options)  # type: ignore[arg-type]
        context.set_default_timeout(PATIENCE_MS)
        host = urlsplit(url).netloc

        def asked(address: str) -> None:
            if urlsplit(address).netloc not in (host, ""):
                complaints.append(f"asked {address}")

        context.on("request", lambda request: asked(request.url))
        context.on("weberror", lambda error: complaints.append(str(error.error)))
        context.on(
            "console",
            lambda message: complaints.append(message.text) if message.type == "error" else None,
        )
        opened.append(context)
        return context

    yield make
    for context in opened:
        context.close()
    assert [complaint for complaint in complaints if not any(words in complaint for words in MEANT)] == []


@pytest.fixture
def open_page(context_of: Callable[..., BrowserContext], console: Served) -> Open:
    """``open_page(path, who)``: a page after signing in."""

    def opened(path: str = "/", who: str = "instructor", url: str = "", **options: object) -> Page:
        page = context_of(url or console.url, **options).new_page()
        page.goto("/login")
        page.get_by_label("Key").fill(KEYS[who][0])
        page.get_by_role("button", name="Sign in").click()
        expect(page.get_by_role("heading", level=1)).to_have_text("Today")
        # a page that still loads follows its #fragment once more at the end, and takes the focus back there
        page.wait_for_load_state()
        if path != "/":
            page.goto(path)
        return page

    return opened


@pytest.fixture(scope="module")
def learner(console: Served) -> str:
    """The path of a learner's page who has a story to tell."""
    with console.client() as client:
        items = client.get("/risks", params={"order": "probability"}).json()["items"]
    changed = next(item for item in items if item["changed_on"])
    return f"/learners/{changed['learner']}?run={COURSE}"


@pytest.fixture(scope="module")
def proposal(console: Served) -> Iterator[str]:
    """A nudge that waits for a yes."""
    with proposed(console, "waits", 1) as nudge_id:
        yield nudge_id


@pytest.fixture
def another_proposal(console: Served) -> Iterator[str]:
    """One more, of another learner, for one test."""
    with proposed(console, "waits-too", 2) as nudge_id:
        yield nudge_id


@contextmanager
def proposed(console: Served, name: str, index: int) -> Iterator[str]:
    """A nudge that waits for a yes, as the ledger has it under a campaign that asks for one."""
    with console.client() as client:
        page = client.get("/risks", params={"order": "probability"}).json()
    willing = [risk for risk in page["items"] if risk["unwanted"] is None]  # others are not to be written to
    assert console.rig is not None
    row = {
        "decision_id": f"d-{name}",
        "risk_change_id": f"r-{name}",
        "nudge_id": f"n-{name}",
        "learner": willing[index]["learner"],
        "course_run": COURSE,
        "decided_at": datetime.combine(date.fromisoformat(page["as_of"]), datetime.min.time(), UTC),
        "send_at": None,
        "decision": "hold",
        "reason": "awaiting_approval",
        "campaign": "reach-out",
        "variant": "plain",
        "channel": "email",
        "policy_version": console.rig.settings.rules.policy.version,
        "propensity": 0.9,
        "partition": 0,
    }
    with ClickHouseWriter(console.store) as writer:
        writer.write("nudge_ledger", {name: [value] for name, value in row.items()})
        yield str(row["nudge_id"])
        writer.command(f"DELETE FROM nudge_ledger WHERE decision_id = 'd-{name}'")


def serious(page: Page) -> list[str]:
    """What axe-core finds serious or worse on a page, a line each."""
    violations = Axe().run(page).response["violations"]
    return [
        f"{violation['id']}: {node['html'][:120]}"
        for violation in violations
        if violation["impact"] in ("serious", "critical")
        for node in violation["nodes"]
    ]


def paths(learner: str) -> dict[str, str]:
    return {
        "/": "Today",
        "/courses": "Courses",
        f"/course?run={COURSE}": COURSE,
        learner: "risk",
        "/interventions": "Interventions",
        "/queue": "Approve",
    }


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_page_can_be_used_by_all(open_page: Open, learner: str, proposal: str, scheme: str) -> None:
    page = open_page(color_scheme=scheme)
    for path, title in paths(learner).items():
        page.goto(path)
        expect(page.get_by_role("heading", level=1)).to_contain_text(title)
        expect(page.locator("#live")).to_have_class("live on")
        for chart in page.locator("[data-chart]").all():
            expect(chart.locator("canvas")).to_be_visible()
        assert serious(page) == [], path


def test_every_page_fits_a_phone(open_page: Open, learner: str, proposal: str) -> None:
    page = open_page(viewport={"width": 360, "height": 740}, has_touch=True, is_mobile=True)
    for path in paths(learner):
        page.goto(path)
        assert page.evaluate("document.documentElement.scrollWidth") <= 360, path
        assert serious(page) == [], path


def test_only_a_key_opens_the_page(context_of: Callable[..., BrowserContext], console: Served) -> None:
    page = context_of(console.url).new_page()
    page.goto("/courses")
    expect(page).to_have_url(f"{console.url}/login?next=%2Fcourses")
    assert serious(page) == []
    page.get_by_label("Key").fill("hr_wrong")
    page.keyboard.press("Enter")
    expect(page.get_by_role("alert")).to_contain_text("not one of ours")
    page.get_by_label("Key").fill(KEYS["instructor"][0])
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text("Courses")
    cookies = page.context.cookies()
    assert [(cookie["httpOnly"], cookie["sameSite"]) for cookie in cookies] == [(True, "Lax")]
    page.get_by_role("button", name="Sign out").click()
    page.goto("/")
    expect(page).to_have_url(f"{console.url}/login")


def test_today_is_the_api_s_list_and_its_filters_work(open_page: Open, console: Served) -> None:
    with console.client() as client:
        items = client.get("/risks", params={"limit": 20}).json()["items"]
        high = client.get("/risks", params={"limit": 20, "level": "high"}).json()["items"]
    page = open_page()
    assert page.locator(".card h3 a").all_text_contents() == [item["name"] for item in items]
    first = page.locator(".card").first
    for reason in items[0]["reasons"][:3]:
        expect(first).to_contain_text(muted_before(reason["text"]).striptags())
    expect(first).to_contain_text(items[0]["step"])
    page.locator("#f-level").select_option("high")
    page.get_by_role("button", name="Show").click()
    expect(page).to_have_url(f"{console.url}/?course_run=&level=high&order=urgency")
    assert page.locator(".card h3 a").all_text_contents() == [risk["name"] for risk in high]


def test_a_learner_s_page_says_what_would_bring_the_risk_down(open_page: Open, console: Served) -> None:
    with console.client() as client:
        items = client.get("/risks", params={"limit": 200}).json()["items"]
    risks = [Risk.model_validate(item) for item in items]
    risk = max(risks, key=lambda candidate: len(helps(candidate)))
    assert helps(risk), "nothing would help anybody: it shows nothing"
    for scheme in ("light", "dark"):
        page = open_page(f"/learners/{risk.learner}?run={COURSE}", color_scheme=scheme, viewport=PHONE)
        shown = page.locator(".weights .help")
        expect(shown).to_have_count(len(helps(risk)))
        for help_, line in zip(helps(risk), shown.all(), strict=True):
            expect(line).to_have_text(f"{help_.how} would bring it down to {likely(help_.probability)}")
        assert serious(page) == []
        assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]


def helps(risk: Risk) -> list[ReliefHint]:
    return [help_ for reason in risk.reasons if (help_ := help_of(reason, risk)) is not None]


def test_the_keyboard_is_enough(open_page: Open) -> None:
    page = open_page()
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to the content")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("#content")).to_be_focused()
    page.keyboard.press("Tab")
    expect(page.get_by_label("Course")).to_be_focused()
    name = page.locator(".card h3 a").first.text_content() or ""
    for _ in range(4):
        page.keyboard.press("Tab")
    expect(page.get_by_role("link", name=name).first).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_contain_text(name)


@pytest.mark.parametrize("path", ["/courses", f"/course?run={COURSE}"])
def test_a_page_that_still_loads_leaves_the_focus_where_it_was_taken(open_page: Open, path: str) -> None:
    page, held, released = open_page(), list[Route](), Event()

    def hold(route: Route) -> None:
        if released.is_set():
            route.continue_()
        else:
            held.append(route)

    page.route(re.compile(r"/static/.+\.js$"), hold)
    page.goto(path, wait_until="commit")
    expect(page.locator("footer")).to_be_visible()
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(page.locator("#content")).to_be_focused()
    page.keyboard.press("Tab")
    focused = page.locator("#content a").first
    expect(focused).to_be_focused()
    assert held, "every script has come: it shows nothing"
    released.set()
    for route in held:
        route.continue_()
    page.wait_for_load_state()
    expect(page.locator("#live")).to_have_class("live on")
    for chart in page.locator("[data-chart]").all():
        expect(chart.locator("canvas")).to_be_visible()
    expect(focused).to_be_focused()


def test_only_a_page_with_charts_asks_for_their_library(open_page: Open, learner: str) -> None:
    page, requested = open_page(), list[str]()
    page.on("request", lambda request: requested.append(urlsplit(request.url).path))
    library = "/static/vendor/echarts.common.min.js"
    for path, wanted in {"/": False, "/courses": False, learner: True, f"/course?run={COURSE}": True}.items():
        requested.clear()
        page.goto(path)
        expect(page.locator("#live")).to_have_class("live on")
        assert (library in requested) == wanted, path


def press_on(page: Page, wanted: Locator, key: str = "Tab") -> None:
    """Go to something by the keyboard alone, and press Enter there."""
    for _ in range(120):
        if wanted.evaluate("one => one === document.activeElement"):
            page.keyboard.press("Enter")
            return
        page.keyboard.press(key)
    raise AssertionError(f"{wanted} is not reached by the keyboard")


def test_from_the_list_to_an_answer_and_an_approval_by_the_keyboard_alone(
    open_page: Open, another_proposal: str
) -> None:
    page = open_page("/?order=changed")
    link = page.locator(".card:not(.done) h3 a").last
    name = link.text_content() or ""
    press_on(page, link)
    expect(page.get_by_role("heading", level=1)).to_contain_text(name)
    press_on(page, page.get_by_role("button", name="Already in contact"))
    expect(page.locator("#announcer")).to_contain_text("It is noted")
    expect(page.get_by_role("button", name="Already in contact")).to_be_focused()
    press_on(page, page.get_by_role("navigation").get_by_role("link", name="Approve"), "Shift+Tab")
    expect(page.get_by_role("heading", level=1)).to_have_text("Approve")
    card = page.locator(".card", has=page.locator(f"input[value='{another_proposal}']"))
    press_on(page, card.get_by_role("button", name="Approve"))
    expect(page.locator("#announcer")).to_contain_text("Approved")
    expect(card).to_have_count(0)
    expect(page.locator("#content")).to_be_focused()  # and not on the next one's button


def test_a_click_says_something_of_a_learner(open_page: Open) -> None:
    page = open_page("/?order=probability")
    card = page.locator(".card:not(.done)").first
    name = card.locator("h3 a").text_content() or ""
    card.get_by_role("button", name="Helped").click()
    expect(page.locator("#announcer")).to_contain_text("It is noted")
    answered = page.locator(".card", has_text=name).first
    expect(answered).to_contain_text("Helped")
    expect(answered.get_by_role("button")).to_have_count(0)
    assert page.url.endswith("/?order=probability")
    page.get_by_role("link", name=name).click()
    expect(page.locator(".events").first).to_contain_text("Helped")


def test_forms_work_without_scripts(open_page: Open) -> None:
    page = open_page("/?order=changed", java_script_enabled=False)
    card = page.locator(".card:not(.done)").first
    name = card.locator("h3 a").text_content() or ""
    card.get_by_role("button", name="Not at risk").click()
    expect(page.get_by_role("status").first).to_contain_text("It is noted")
    expect(page.locator(".card", has_text=name).first).to_contain_text("Not at risk")


def test_a_page_counts_what_waits_and_asks_for_no_more(
    open_page: Open, console: Served, proposal: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    queries, rows = list[str](), Readers.rows

    def noted(readers: Readers, sql: str, params: Mapping[str, Any] | None = None) -> list[dict[str, Any]]:
        queries.append(sql)
        return rows(readers, sql, params)

    with proposed(console, "waits-also", 3) as another, console.client() as client:
        page = open_page()
        monkeypatch.setattr(Readers, "rows", noted)
        page.goto("/courses")
        expect(page.locator("nav .count")).to_have_text("2 waiting")
        assert nudges.COUNT_WAITING in queries
        assert not {nudges.WAITING, nudges.REASONS} & {*queries}
        waiting = {proposal["nudge_id"] for proposal in client.get("/nudges/waiting").json()}
        assert waiting == {proposal, another}
        assert client.post(f"/nudges/{another}/verdict", json={"verdict": "declined"}).is_success
        page.reload()  # the answer is still on its way into the store
        expect(page.locator("nav .count")).to_have_text("1 waiting")


def test_what_waits_is_approved_once(open_page: Open, console: Served, proposal: str) -> None:
    page = open_page("/queue")
    expect(page.locator("nav .count")).to_contain_text("1")
    expect(page.locator(".card .why li").first).to_be_visible()  # nobody says yes without knowing why
    message = page.locator(".card .message")  # … and to what
    expect(message).to_contain_text("The message, by email")
    expect(message).to_contain_text(f"{COURSE} has had less of your time lately.")
    page.get_by_role("button", name="Approve").click()
    expect(page.locator("#announcer")).to_contain_text("Approved")
    expect(page.locator("main")).to_contain_text("Nothing waits for you")
    expect(page.locator("nav .count")).to_have_count(0)
    with console.client() as client:
        assert client.post(f"/nudges/{proposal}/verdict", json={"verdict": "declined"}).status_code == 409
        assert client.post("/nudges/other/verdict", json={"verdict": "declined"}).status_code == 404


def test_a_page_follows_the_store(open_page: Open, console: Served) -> None:
    """A learner gets worse while the page is open: it shows without a reload."""
    page = open_page("/?level=high&order=changed")
    page.evaluate("document.title = 'still the same page'")
    learner = "feedfeedfeedfeed"  # a new one, so that all rows of it can go again
    with StoreReader(console.store) as reader:
        newest = reader.query("SELECT max(day) FROM engagement_daily").rows[0][0]
    day = newest + timedelta(days=1)
    occurred_at = datetime.combine(day, datetime.min.time(), UTC)
    change = {
        "risk_change_id": "live",
        "learner": learner,
        "course_run": COURSE,
        "occurred_at": occurred_at,
        "day": day,
        "previous_level": "low",
        "level": "high",
        "probability": 0.95,
        "previous_probability": 0.2,
        "model_state": "serving",
        "model_version": "lost/1",
        "reasons": ["gone fishing"],
        "contributions": [2.0],
        "features": ["silence"],
        "partition": 0,
        "version": 1,
    }
    with ClickHouseWriter(console.store) as writer:
        writer.write("risk_history", risk(learner, day, 0.95, course_run=COURSE, level="high", version=10**6))
        writer.write("risk_changes", {name: [value] for name, value in change.items()})
        expect(page.locator(".card").first).to_contain_text("gone fishing")
        assert page.title() == "still the same page"
        for table in ("risk_changes", "risk_history", STANDING.name):
            writer.command(f"DELETE FROM {table} WHERE learner = '{learner}'")


def test_a_page_with_charts_looks_at_itself_without_a_complaint(
    open_page: Open, console: Served, learner: str
) -> None:
    """Styles that the charts have set are the page's own, and its policy has nothing against them."""
    page = open_page(learner)
    for chart in page.locator("[data-chart]").all():
        expect(chart.locator("canvas")).to_be_visible()
    page.evaluate("refresh()")
    expect(page.get_by_role("heading", level=1)).to_contain_text("risk")


def test_the_weekly_report_can_be_used_by_all(
    context_of: Callable[..., BrowserContext], console: Served, tmp_path: Path
) -> None:
    file = tmp_path / "week.html"
    with closing(Readers(console.store)) as readers:
        file.write_text(weekly(readers, COURSE, 4, None), encoding="utf-8")
    for scheme in ("light", "dark"):
        page = context_of(console.url, color_scheme=scheme, viewport=PHONE).new_page()
        page.goto(file.as_uri())
        expect(page.get_by_role("heading", level=1)).to_contain_text("week 4")
        assert serious(page) == []
        assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]


# -- states that nobody hopes for -----------------------------------------------------------------------


def test_no_course(open_page: Open) -> None:
    page = open_page(who="nobody")
    expect(page.locator("main")).to_contain_text("No course is yours yet")
    assert serious(page) == []


def test_nothing_in_the_store_and_then_a_model_that_is_warming_up(open_page: Open, console: Served) -> None:
    with fresh_database(console.store) as empty, served(create_app(_parts(empty), keys())) as url:
        page = open_page(url=url)
        expect(page.locator("main")).to_contain_text("Nothing has come in yet")
        assert serious(page) == []
        day = date(2026, 3, 2)
        names = (
            "enrolled",
            "active",
            "active_7",
            "active_28",
            "clicks",
            "minutes",
            "new",
            "withdrawn",
            "version",
        )
        engaged: dict[str, list[Any]] = {name: [1] for name in names}
        engaged |= {"course_run": [COURSE], "day": [day], "partition": [0]}
        first = risk(
            "0123456789abcdef", day, 0.6, course_run=COURSE, level="medium", model_state="warming_up"
        )
        with ClickHouseWriter(empty) as writer:
            writer.write("risk_history", first)
            writer.write("engagement_daily", engaged)
        expect(page.locator("main")).to_contain_text("Still warming up")  # by itself, when its turn comes
        assert serious(page) == []
        page.goto("/learners/0123456789abcdef?run=" + COURSE)
        expect(page.locator("main")).to_contain_text("Nobody has told this page who")


def _parts(store: StoreAddress) -> Parts:
    return Parts(Readers(store), replay=True)


def test_old_estimates_and_a_store_that_is_away(open_page: Open, console: Served) -> None:
    readers = Readers(console.store)
    with console.client() as client:
        newest = date.fromisoformat(client.get("/ready").json()["as_of"])
    late = datetime.combine(newest + timedelta(days=9), datetime.min.time(), UTC)
    parts = Parts(readers, clock=lambda: late)
    with served(create_app(parts, keys())) as url:
        page = open_page(url=url)
        expect(page.get_by_role("status").first).to_contain_text("These estimates are old")
        assert serious(page) == []
        object.__setattr__(parts, "readers", Readers(replace(console.store, port=1)))
        page.goto("/")
        expect(page.get_by_role("heading", level=1)).to_have_text("Not now")
        expect(page.locator("main")).to_contain_text("Nothing is lost")
        expect(page.get_by_role("navigation")).to_contain_text("Courses")  # still signed in
        assert serious(page) == []
        object.__setattr__(parts, "readers", readers)
        expect(page.get_by_role("heading", level=1)).to_have_text("Today")  # by itself
    readers.close()


def test_a_form_from_elsewhere_is_refused(open_page: Open, console: Served) -> None:
    page = open_page()
    cookie = page.context.cookies()[0]
    import httpx

    with httpx.Client(base_url=console.url, cookies={cookie["name"]: cookie["value"]}) as client:
        for origin in ("http://elsewhere.example", "null"):
            for path in ("/feedback", "/api/v1/feedback", "/verdict"):
                answer = client.post(path, headers={"Origin": origin}, json={})
                assert answer.status_code == 403, path
        assert client.post("/api/v1/feedback", json={}).status_code == 403
        assert client.get("/api/v1/me").status_code == 200
