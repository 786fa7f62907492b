"""The API over a real run: what it tells, to whom, and what it does with what it is told."""

import time
from collections.abc import Callable
from datetime import date
from typing import Any

import httpx
import pytest

from console.models import Order
from schemas.risk import RISK_LEVELS
from sinks.store import StoreReader
from tests.console.conftest import COURSE, OTHER, PLAN, Served

PROBLEM = "application/problem+json"


def test_a_parameter_that_is_misspelt_is_no_filter_left_out(console: Served) -> None:
    with console.client() as client:
        answer = client.get("/risks", params={"levels": "high"})
        assert answer.status_code == 422
        (error,) = answer.json()["errors"]
        assert error["where"] == "query.levels"
        assert error["expected"].startswith("no such parameter; expected some of course_run, level,")
        assert client.get("/courses", params={"x": 1}).status_code == 200  # takes none: nothing to misspell


def assert_problem(answer: httpx.Response, status: int) -> dict[str, Any]:
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == PROBLEM
    problem: dict[str, Any] = answer.json()
    assert problem["status"] == status
    assert problem["title"]
    assert problem["type"].startswith("urn:homeroom:problem:")
    return problem


def listed(client: httpx.Client, **params: Any) -> list[dict[str, Any]]:
    """Every page of the list."""
    risks, cursor = [], None
    for _ in range(1000):
        page = client.get("/risks", params=params | ({"cursor": cursor} if cursor else {})).json()
        risks += page["items"]
        cursor = page["next"]
        if cursor is None:
            return risks
    raise AssertionError("the list does not end")


def within(seconds: float, get: Callable[[], Any]) -> Any:
    """What is found before the time is over."""
    deadline = time.monotonic() + seconds
    while not (result := get()):
        assert time.monotonic() < deadline, f"not within {seconds} s"
        time.sleep(0.2)
    return result


# -- the list -------------------------------------------------------------------------------------------


def test_the_list_is_what_the_store_holds(console: Served) -> None:
    with StoreReader(console.store) as reader:
        newest = reader.query("SELECT max(day) FROM engagement_daily").rows[0][0]
        rows = reader.query(
            "SELECT learner, level FROM risk_now WHERE course_run = %(run)s AND level != 'low' "
            "AND day > toDate(%(newest)s) - 7 AND learner NOT IN "
            "(SELECT learner FROM learner_facts WHERE course_run = %(run)s "
            "AND fact IN ('withdrawn', 'completed'))",
            {"run": COURSE, "newest": newest},
        ).rows
    with console.client() as client:
        risks = listed(client, limit=200)
    assert sorted((risk["learner"], risk["level"]) for risk in risks) == sorted(rows)
    assert risks, "the term has nobody at risk: it shows nothing"
    assert all(risk["course_run"] == COURSE and risk["name"] for risk in risks)
    assert any(len(risk["reasons"]) >= 2 and risk["step"] for risk in risks)


def test_the_level_is_the_one_that_was_told_last(console: Served) -> None:
    """A change of level is in the history on its day, however little the estimate moved."""
    with console.client("admin") as client:
        risks = listed(client, limit=200, level=list(RISK_LEVELS))
        changed = [risk for risk in risks if risk["changed_on"]]
        assert len(changed) > 20
        for risk in changed[:8]:
            story = client.get(
                f"/learners/{risk['learner']}/story", params={"course_run": risk["course_run"]}
            ).json()
            assert story["changes"][0]["level"] == risk["level"]
            assert risk["previous_level"] != risk["level"]
            days = {point["day"]: point["level"] for point in story["history"]}
            assert all(days[change["day"]] == change["level"] for change in story["changes"])


RANKS = {
    ("high", True): 0,
    ("high", False): 0,
    ("medium", False): 1,
    ("medium", True): 2,
    ("low", True): 3,
    ("low", False): 3,
}
"""By level, and whether it was high before: who is getting better comes after who is getting worse."""

ORDERS: dict[Order, Callable[[dict[str, Any]], Any]] = {
    "urgency": lambda risk: (
        risk["answered"] is not None,
        RANKS[risk["level"], risk["previous_level"] == "high"],
        -date.fromisoformat(risk["changed_on"] or "1970-01-01").toordinal(),
    ),
    "probability": lambda risk: -risk["probability"],
    "changed": lambda risk: -date.fromisoformat(risk["changed_on"] or "1970-01-01").toordinal(),
}


@pytest.mark.parametrize("order", ORDERS)
def test_pages_give_everybody_once_and_in_order(console: Served, order: Order) -> None:
    with console.client("admin") as client:
        whole = listed(client, order=order, limit=200, level=list(RISK_LEVELS))
        pieces = listed(client, order=order, limit=13, level=list(RISK_LEVELS))
    assert len(whole) > 26
    assert pieces == whole
    assert [ORDERS[order](risk) for risk in whole] == sorted(ORDERS[order](risk) for risk in whole)
    assert len({(risk["learner"], risk["course_run"]) for risk in whole}) == len(whole)


def test_filters_let_through_what_they_say(console: Served) -> None:
    with console.client("admin") as client:
        whole = listed(client, limit=200)
        high = listed(client, level="high", limit=200)
        likely = listed(client, least=0.5, limit=200)
        here = listed(client, course_run=OTHER, limit=200)
        since = sorted(risk["changed_on"] for risk in whole if risk["changed_on"])[len(whole) // 2]
        lately = listed(client, changed_since=since, limit=200)
    assert high == [risk for risk in whole if risk["level"] == "high"]
    assert likely == [risk for risk in whole if risk["probability"] >= 0.5]
    assert here == [risk for risk in whole if risk["course_run"] == OTHER]
    assert lately == [risk for risk in whole if (risk["changed_on"] or "") >= since]
    assert all(0 < len(part) < len(whole) for part in (high, here, lately))


@pytest.mark.parametrize("cursor", ["x", "WyJjaGFuZ2VkIl0", "WyJ1cmdlbmN5IiwxXQ", "%00", "é"])
def test_a_cursor_that_is_none_is_a_problem(console: Served, cursor: str) -> None:
    with console.client() as client:
        problem = assert_problem(client.get("/risks", params={"cursor": cursor}), 422)
    assert "cursor" in problem["detail"]


# -- one learner ----------------------------------------------------------------------------------------


def test_a_story_holds_what_the_list_says(console: Served) -> None:
    with console.client() as client:
        risk = next(risk for risk in listed(client, limit=200) if risk["changed_on"])
        story = client.get(
            f"/learners/{risk['learner']}/story", params={"course_run": risk["course_run"]}
        ).json()
        learner = client.get(f"/learners/{risk['learner']}").json()
    assert story["risk"] == risk
    assert learner["risks"] == [risk]
    assert story["changes"][0]["reasons"] == risk["reasons"]
    assert story["changes"][0]["day"] == risk["changed_on"]
    assert story["history"][-1]["probability"] == risk["probability"]
    assert len(story["decisions"]) == len(story["changes"])  # one decision for every change


def of_the_course(console: Served, query: str) -> list[tuple[Any, ...]]:
    """What the store holds, asked past the console."""
    with StoreReader(console.store) as reader:
        return reader.query(query, {"run": COURSE}).rows


def test_a_rise_says_what_would_bring_it_down(console: Served) -> None:
    """In the list, of the learner and in the story: as the store holds it, beside each reason."""
    rows = of_the_course(
        console,
        "SELECT learner, reasons, reliefs FROM risk_changes FINAL WHERE course_run = %(run)s "
        "ORDER BY occurred_at",
    )
    newest = {learner: list(zip(texts, reliefs, strict=True)) for learner, texts, reliefs in rows}
    helped = 0
    with console.client() as client:
        for risk in listed(client, limit=200):
            shown = [(reason["text"], reason["relief"] or "") for reason in risk["reasons"]]
            assert shown == newest.get(risk["learner"], [])
            helped += any(relief for _, relief in shown)
            assert all(
                int(relief.split()[-2]) < round(100 * change["probability"])
                for change in client.get(
                    f"/learners/{risk['learner']}/story", params={"course_run": COURSE}
                ).json()["changes"]
                for relief in (reason["relief"] for reason in change["reasons"])
                if relief
            )
    assert helped, "nobody's risk could be brought down: it shows nothing"


def test_activity_by_day_is_what_was_sent(console: Served) -> None:
    """A learner's days add up to the clicks of the stream itself."""
    import orjson

    from sources import simulator

    assert console.rig is not None
    identity = console.rig.settings.identity
    sent: dict[tuple[str, str], int] = {}
    for message in simulator.stream(PLAN):
        event = orjson.loads(message.value)
        if event["type"] == "activity" and event["course_run"] == COURSE:
            key = identity.learner(event["learner"]), event["occurred_at"][:10]
            sent[key] = sent.get(key, 0) + event.get("count", 1)
    compared = 0
    with console.client() as client:
        for risk in listed(client, limit=200, level=list(RISK_LEVELS))[:8]:
            story = client.get(f"/learners/{risk['learner']}/story", params={"course_run": COURSE}).json()
            days = [active["day"] for active in story["activity"]]
            assert days == sorted(set(days))
            for one in story["activity"]:
                assert one["clicks"] == sent.get((risk["learner"], one["day"]), 0)
                compared += one["clicks"] > 0
    assert compared > 8


# -- courses --------------------------------------------------------------------------------------------


def test_courses_add_up(console: Served) -> None:
    with console.client("admin") as client:
        courses = {course["course_run"]: course for course in client.get("/courses").json()}
        story = client.get("/courses/story", params={"course_run": COURSE}).json()
        everybody = listed(client, course_run=COURSE, limit=200, level=list(RISK_LEVELS))
    assert set(courses) == {run.course_run for run in PLAN.runs}
    assert not courses[COURSE]["over"]
    assert courses[PLAN.runs[0].course_run]["over"]
    assert story["course"] == courses[COURSE]
    levels = {level: sum(risk["level"] == level for risk in everybody) for level in RISK_LEVELS}
    assert {level: courses[COURSE][level] for level in RISK_LEVELS} == levels
    assert [week["week"] for week in story["weeks"]] == list(range(1, courses[COURSE]["week"] + 1))
    assert sum(story["weeks"][-1]["fifths"]) == len(everybody)
    assert story["engagement"][-1]["enrolled"] == courses[COURSE]["enrolled"]


def test_uplift_is_told_with_its_interval_or_as_not_yet_known(console: Served, bare: Served) -> None:
    counted = of_the_course(
        console,
        "SELECT arm, outcome, count() FROM nudge_outcomes FINAL WHERE first AND course_run = %(run)s "
        "GROUP BY arm, outcome",
    )
    assert counted, "no outcome is known: it shows nothing"
    expected = {(arm, outcome): count for arm, outcome, count in counted}
    with console.client() as client:
        interventions = client.get("/interventions", params={"course_run": COURSE}).json()
    assert sum(count["count"] for count in interventions["decisions"]) > 0
    for uplift in interventions["uplift"]:
        if uplift["variant"] == "all":
            assert uplift["nudged"] == expected.get(("nudged", uplift["outcome"]), 0)
            assert uplift["held_out"] == expected.get(("holdout", uplift["outcome"]), 0)
            assert (uplift["difference"] is None) == (0 in (uplift["nudged"], uplift["held_out"]))
            assert uplift["low"] <= (uplift["difference"] or 0.0) <= uplift["high"]
            assert uplift["judgement"] in ("helps", "harms", "not yet known")
    with bare.client() as client:
        assert client.get("/interventions", params={"course_run": COURSE}).json()["uplift"] == []


def test_what_if_answers_for_a_course_and_names_what_is_wrong(console: Served) -> None:
    with console.client() as client:
        same = client.post("/what-if", json={"course_run": COURSE, "features": {}}).json()
        silent = client.post("/what-if", json={"course_run": COURSE, "features": {"silence": 25}}).json()
        unknown = client.post("/what-if", json={"course_run": COURSE, "features": {"age": 30}})
        elsewhere = client.post("/what-if", json={"course_run": OTHER, "features": {}})
    assert same["model_state"] == "serving"
    assert same["probability"] == same["base_probability"]
    assert same["reasons"] == []
    assert silent["base_probability"] == same["probability"]
    assert silent["probability"] != same["probability"]
    assert "no activity" in silent["reasons"][0]["text"]
    assert "'age'" in assert_problem(unknown, 422)["detail"]
    assert_problem(elsewhere, 404)


# -- who may see what -----------------------------------------------------------------------------------


def test_without_a_key_nothing_is_told(console: Served) -> None:
    with console.client("") as client:
        for path in ("/risks", "/courses", "/nudges", "/me", "/events", "/interventions"):
            answer = client.get(path)
            assert_problem(answer, 401)
            assert answer.headers["www-authenticate"] == "Bearer"
        assert client.get("/health").status_code == 200
        assert client.get("/ready").json()["as_of"]


def test_an_instructor_sees_own_courses_only(console: Served) -> None:
    with console.client("other") as other, console.client() as mine:
        theirs = {risk["learner"] for risk in listed(other, limit=200, level=list(RISK_LEVELS))}
        ours = listed(mine, limit=200, level=list(RISK_LEVELS))
        assert theirs
        assert not theirs & {row["learner"] for row in ours}
        learner = ours[0]["learner"]
        for answer in (
            other.get("/risks", params={"course_run": COURSE}),
            other.get("/courses/story", params={"course_run": COURSE}),
            other.get("/nudges", params={"course_run": COURSE}),
            other.get("/interventions", params={"course_run": COURSE}),
            other.get(f"/learners/{learner}"),
            other.get(f"/learners/{learner}/preferences"),
            other.get(f"/learners/{learner}/story", params={"course_run": COURSE}),
            other.put(f"/learners/{learner}/preferences", json={"opted_out": ["sms"]}),
            other.post("/feedback", json={"learner": learner, "course_run": COURSE, "kind": "helped"}),
        ):
            assert_problem(answer, 404)
        assert {course["course_run"] for course in other.get("/courses").json()} == {
            run.course_run for run in PLAN.runs if run.course == PLAN.runs[3].course
        }
        assert all(
            decision["course_run"] != COURSE for decision in other.get("/nudges?limit=200").json()["items"]
        )


def test_a_viewer_reads_and_does_not_act(console: Served) -> None:
    with console.client("viewer") as client:
        risk = listed(client, limit=200)[0]
        feedback = {"learner": risk["learner"], "course_run": COURSE, "kind": "helped"}
        assert_problem(client.post("/feedback", json=feedback), 403)
        assert_problem(client.put(f"/learners/{risk['learner']}/preferences", json={}), 403)


def test_a_key_without_a_course_sees_empty_lists(console: Served) -> None:
    with console.client("nobody") as client:
        assert client.get("/risks").json()["items"] == []
        assert client.get("/courses").json() == []
        assert client.get("/nudges/waiting").json() == []
        assert client.get("/interventions").json()["decisions"] == []


# -- HTTP -----------------------------------------------------------------------------------------------


def test_whoever_has_the_newest_answer_is_told_so(console: Served) -> None:
    with console.client() as client:
        first = client.get("/courses")
        tag = first.headers["etag"]
        assert first.headers["cache-control"] == "private, no-cache"
        again = client.get("/courses", headers={"If-None-Match": f'"x", W/{tag}'})
        assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", tag)
        assert client.get("/courses", headers={"If-None-Match": '"x"'}).content == first.content


def test_every_error_is_a_problem_in_words(console: Served) -> None:
    with console.client() as client:
        problem = assert_problem(client.get("/risks", params={"limit": 1000}), 422)
        assert problem["errors"][0]["where"] == "query.limit"
        assert_problem(client.get("/nothing"), 404)
        assert_problem(client.delete("/risks"), 405)
        assert_problem(client.post("/feedback", content=b"{"), 422)


def test_messages_are_told_by_what_became_of_them(console: Served) -> None:
    """Decided is not sent, and what was taken back or only proposed is neither."""
    column = "SELECT nudge_id, decision, reason, campaign FROM nudge_ledger FINAL WHERE course_run = %(run)s"
    with StoreReader(console.store) as reader:
        rows = reader.query(f"{column} AND nudge_id IS NOT NULL", {"run": COURSE}).rows
    with console.client() as client:
        params = {"course_run": COURSE}
        messages = client.get("/interventions", params=params).json()["messages"]
    assert messages, "no message was decided: it shows nothing"
    for campaign in messages:
        mine = [row for row in rows if row[3] == campaign["campaign"]]
        sent = {row[0] for row in mine if row[1] == "send"}
        cancelled = {row[0] for row in mine if row[1] == "cancel"}
        assert campaign["decided"] == len(sent)
        assert campaign["taken_back"] == len(sent & cancelled)
        assert campaign["proposed"] == len({row[0] for row in mine if row[2] == "awaiting_approval"})
        assert campaign["delivered"] == 0  # nobody delivers in these tests


# -- words ----------------------------------------------------------------------------------------------


def test_a_word_reaches_the_ledger_and_the_list(console: Served) -> None:
    with console.client() as client:
        risk = listed(client, answered=False, limit=200)[-1]
        feedback = {"learner": risk["learner"], "course_run": COURSE, "kind": "in_contact"}
        answer = client.post("/feedback", json=feedback)
        assert answer.status_code == 202
        story = f"/learners/{risk['learner']}/story"
        now = client.get(story, params={"course_run": COURSE}).json()
        assert now["risk"]["answered"]["kind"] == "in_contact"  # at once, before it is in the ledger

        def arrived() -> Any:
            words = client.get(story, params={"course_run": COURSE}).json()["words"]
            return [word for word in words if word["kind"] == "in_contact" and word["arrived"]]

        assert len(within(20, arrived)) == 1
        answered = [risk["learner"] for risk in listed(client, answered=True, limit=200)]
        assert risk["learner"] in answered
        assert risk["learner"] not in [risk["learner"] for risk in listed(client, answered=False, limit=200)]


def test_wishes_reach_the_worker_and_come_back(console: Served) -> None:
    with console.client() as client:
        learner = listed(client, limit=200)[0]["learner"]
        wishes = {"opted_out": ["sms"], "paused_until": "2027-01-01T00:00:00Z"}
        assert client.put(f"/learners/{learner}/preferences", json=wishes).status_code == 202

        def known() -> Any:
            found = client.get(f"/learners/{learner}/preferences").json()
            return found if found["opted_out"] else None

        found = within(20, known)
    assert found["opted_out"] == ["sms"]
    assert found["paused_until"].startswith("2027-01-01T00:00:00")


def test_a_console_without_names_and_broker_says_so(bare: Served) -> None:
    with bare.client() as client:
        risk = listed(client, limit=5)[0]
        assert risk["name"] is None
        feedback = {"learner": risk["learner"], "course_run": COURSE, "kind": "helped"}
        assert "not be handed on" in assert_problem(client.post("/feedback", json=feedback), 503)["detail"]
        assert_problem(client.post("/what-if", json={"course_run": COURSE, "features": {}}), 503)


def test_live_updates_begin_at_once(console: Served) -> None:
    with console.client() as client, client.stream("GET", "/events") as answer:
        assert answer.headers["content-type"].startswith("text/event-stream")
        assert next(answer.iter_lines()).startswith(":")
