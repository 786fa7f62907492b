"""A learner's no: shown wherever somebody might write to them, and taken back by nobody else."""

import re
from collections.abc import Iterator
from contextlib import closing
from datetime import timedelta
from typing import Any

import httpx
import pytest

from console.readers import Readers
from console.report import weekly
from console.steps import NOT_IN_WRITING
from tests.console.conftest import COURSE, KEYS, Served
from tests.console.test_api import assert_problem, listed, within

WORDS = "Wants no messages by email, since "


def tell(console: Served, learner: str, seconds: int, **wish: Any) -> None:
    """A word of another system on the feedback topic, so many seconds after the store's now."""
    service = console.app.state.service
    occurred_at = service.scope.now() + timedelta(seconds=seconds)
    message = {"event_id": f"{learner}-{seconds}", "learner": service.people.person(learner).learner}
    service.parts.outbox.publish({**message, "occurred_at": occurred_at, **wish})


@pytest.fixture(scope="module")
def learner(console: Served) -> Iterator[str]:
    """Somebody at high risk who has just unsubscribed from mail, on the link in one.

    Chosen by what the tests need, not by place: other files share the console and answer for learners.
    """
    with console.client() as client, closing(Readers(console.store)) as readers:
        ledger = client.get("/nudges", params={"course_run": COURSE, "limit": 200}).json()["items"]
        decided = {decision["learner"] for decision in ledger}
        reports = "".join(weekly(readers, COURSE, week) for week in range(1, 5))
        found: str = next(
            risk["learner"]
            for risk in listed(client, limit=200, course_run=COURSE, level="high")
            if risk["learner"] in decided and risk["learner"] in reports and not risk["unwanted"]
        )
        tell(console, found, -60, type="feedback", kind="unsubscribed", channel="email")
        within(20, lambda: client.get(f"/learners/{found}/preferences").json()["opted_out"])
        yield found


@pytest.fixture
def visitor(console: Served) -> Iterator[httpx.Client]:
    """A browser that has signed in."""
    with httpx.Client(base_url=console.url, headers={"Origin": console.url}, timeout=20) as client:
        assert client.post("/login", data={"key": KEYS["instructor"][0]}).status_code == 303
        yield client


def test_it_is_told_wherever_somebody_might_write(
    console: Served, learner: str, visitor: httpx.Client
) -> None:
    run = {"course_run": COURSE}
    with console.client() as client:
        preferences = client.get(f"/learners/{learner}/preferences").json()
        risk = next(candidate for candidate in listed(client, limit=200) if candidate["learner"] == learner)
        story = client.get(f"/learners/{learner}/story", params=run).json()
        now = client.get(f"/learners/{learner}").json()["risks"]
        ledger = client.get("/nudges", params=run | {"limit": 200}).json()["items"]
    assert (preferences["opted_out"], preferences["suppressed"], list(preferences["since"])) == (
        ["email"],
        False,
        ["email"],
    )
    for shown in (risk, story["risk"], now[0]):
        assert shown["unwanted"]["opted_out"] == ["email"]
        assert shown["step"] == NOT_IN_WRITING
    restrictions = [decision["unwanted"] for decision in ledger if decision["learner"] == learner]
    assert restrictions, "nothing was decided on this learner: it shows nothing"
    assert all(restriction["opted_out"] == ["email"] for restriction in restrictions)
    page = visitor.get(f"/learners/{learner}", params={"run": COURSE}).text
    assert WORDS in page
    assert NOT_IN_WRITING in page
    name = story["risk"]["name"]
    for path in ("/?level=high", f"/course?run={COURSE}", f"/?course_run={COURSE}&order=probability"):
        page = visitor.get(path).text
        assert page.count(WORDS) == page.count(f">{name}</a>"), path
    with closing(Readers(console.store)) as readers:
        weeks = [weekly(readers, COURSE, week) for week in range(1, 5)]
    named = [page for page in weeks if learner in page]
    assert named, "no week's report names the learner: it shows nothing"
    assert all(WORDS in page for page in named)


def test_nobody_else_takes_it_back(console: Served, learner: str) -> None:
    path = f"/learners/{learner}"

    def wishes() -> list[dict[str, Any]]:
        with console.client() as client:
            changes = client.get(f"{path}/story", params={"course_run": COURSE}).json()["wishes"]
        return list(changes)

    with console.client() as client, console.client("admin") as admin:
        opened: dict[str, list[str]] = {"opted_out": []}
        problem = assert_problem(client.put(f"{path}/preferences", json=opened), 403)
        assert "only the learner, or an admin with a reason" in problem["detail"]
        problem = assert_problem(
            client.put(f"{path}/preferences", json=opened | {"reason": "a mistake, I think"}), 403
        )
        assert "email" in problem["detail"]
        assert "a reason" in assert_problem(admin.put(f"{path}/preferences", json=opened), 422)["detail"]
        # past the page, straight to the topic: before and after it in the learner's time
        for seconds, who in (
            (-90, {}),
            (-30, {}),
            (-29, {"said_by": "instructor"}),
            (-28, {"said_by": "admin"}),
        ):
            tell(console, learner, seconds, type="preferences", opted_out=[], **who)
        within(20, lambda: len(wishes()) == 4)
        assert client.get(f"{path}/preferences").json()["opted_out"] == ["email"]
        assert [wish["withheld"] for wish in wishes()] == [["email"]] * 3 + [[]]
        reason = "asked by telephone on Monday"
        answer = admin.put(f"{path}/preferences", json=opened | {"reason": reason})
        assert answer.status_code == 202
        within(20, lambda: client.get(f"{path}/preferences").json()["opted_out"] == [])
    newest = wishes()[0]
    assert (newest["said_by"], newest["reason"], newest["opens"]) == ("admin", reason, ["email"])
    assert newest["source"] == KEYS["admin"][1].name
    with httpx.Client(base_url=console.url, headers={"Origin": console.url}) as visitor:
        visitor.post("/login", data={"key": KEYS["instructor"][0]})
        page = re.sub(r"<[^>]+>", "", visitor.get(path, params={"run": COURSE}).text)
    assert "Takes email again" in page
    assert reason in page
    assert "Not reopened: email" in page


@pytest.mark.parametrize("name", ["Mars/Base", "europe/berlin", "localtime", "../etc/passwd", "", "\0"])
def test_a_time_zone_that_does_not_exist_is_refused(console: Served, learner: str, name: str) -> None:
    with console.client() as client:
        answer = client.put(f"/learners/{learner}/preferences", json={"timezone": name})
        detail = assert_problem(answer, 422)["detail"]
        assert client.get(f"/learners/{learner}/preferences").json()["timezone"] is None
    assert detail == "body.timezone: expected an IANA name such as Europe/Berlin"


def test_a_time_zone_that_exists_is_taken(console: Served, learner: str) -> None:
    with console.client() as client:
        for name in ("Asia/Kathmandu", None):
            answer = client.put(f"/learners/{learner}/preferences", json={"timezone": name})
            assert answer.status_code == 202
