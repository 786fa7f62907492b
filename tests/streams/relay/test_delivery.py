"""A real endpoint that fails in every way: what is tried again, what is given up, and what is the same."""

import asyncio
import logging
import time
from datetime import UTC, datetime
from typing import Any

import pytest
from aiohttp import ClientSession
from pydantic import SecretStr

from engine.pseudonyms import Identity
from streams.relay.delivery import Delivery, RelayError, answer_of, retry_after_s, wait_s
from streams.relay.forms import Forms
from streams.relay.metrics import RelayMetrics
from streams.relay.settings import RelaySettings
from tests.streams.relay.endpoints import Endpoint, Plan, endpoint
from tests.streams.relay.messages import change

KEY = "whsec_" + "QUJD" * 8


def script(*answers: Any) -> Plan:
    """These answers in order, then 200."""
    return lambda number, _: answers[number - 1] if number <= len(answers) else 200


async def deliver(one: Endpoint, **more: Any) -> str | None:
    options: dict[str, Any] = {"timeout_s": 0.5, "longest_wait_s": 0.05, "attempts": 3} | more
    settings = RelaySettings(_env_file=None, url=one.url, signing_keys=SecretStr(KEY), **options)
    async with ClientSession() as session:
        forms = Forms(settings, Identity(b"a secret of the tests"))
        return await Delivery(settings, forms, session, RelayMetrics()).deliver(change(learner="ann@raw"))


@pytest.mark.parametrize("answer", [500, 503, 408, 425, 429, "cut", "hang"])
async def test_what_passes_is_tried_again_however_often_with_the_same_key(answer: Any) -> None:
    with endpoint(script(*[answer] * 4)) as one:  # more often than a refusal may come
        assert await deliver(one) is None
    assert len(one.received) == 5
    assert len({headers["Idempotency-Key"] for headers, _ in one.received}) == 1
    assert len({body for _, body in one.received}) == 1
    assert all(headers["webhook-id"] == headers["Idempotency-Key"] for headers, _ in one.received)


@pytest.mark.parametrize("answer", [400, 401, 404, 409, 413, 302, 308])
async def test_a_refusal_is_final_after_the_attempts_of_the_setting(answer: int) -> None:
    with endpoint(lambda *_: answer) as one:
        assert await deliver(one) == f"the endpoint answers {answer}, 3 times; expected 2xx"
    assert (len(one.received), one.elsewhere) == (3, 0), "no redirection is followed"


async def test_a_refusal_may_pass() -> None:
    with endpoint(script(401, 500, 401)) as one:
        assert await deliver(one) is None
    assert len(one.received) == 4


async def test_a_record_store_that_has_the_statement_has_taken_it() -> None:
    with endpoint(lambda *_: 409) as one:
        assert await deliver(one, form="xapi") is None
    assert len(one.received) == 1


async def test_an_endpoint_that_is_gone_ends_the_relay() -> None:
    with endpoint(lambda *_: 410) as one, pytest.raises(RelayError, match="answers 410, gone"):
        await deliver(one)
    assert len(one.received) == 1


async def test_retry_after_is_waited_for() -> None:
    with endpoint(script({"Retry-After": "1"})) as one:
        began = time.monotonic()
        assert await deliver(one, longest_wait_s=5.0) is None
    assert 1.0 <= time.monotonic() - began < 4.0


async def test_no_one_to_ask_is_waited_for() -> None:
    with endpoint(script()) as one:
        pass
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(deliver(one), 0.5)


async def test_logs_have_neither_learner_nor_secret_nor_address(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG), endpoint(script(500, 401, "cut")) as one:
        assert await deliver(one, raw_learners=True, user="u", password=SecretStr("hidden")) is None
    ours = [record.getMessage() for record in caplog.records if record.name.startswith("streams")]
    assert len(ours) == 3
    assert not [word for word in ("ann", "QUJD", "hidden", one.url) if word in "".join(ours)]


def test_pauses_grow_to_the_longest_and_vary() -> None:
    assert 0.25 <= wait_s(1, 300.0) <= 0.5
    assert 2.0 <= wait_s(4, 300.0) <= 4.0
    assert 150.0 <= wait_s(10_000, 300.0) <= 300.0
    assert len({wait_s(5, 300.0) for _ in range(20)}) > 10


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        (None, 0.0),
        ("7", 7.0),
        ("Sun, 01 Feb 2026 12:00:30 GMT", 30.0),
        ("Sun, 01 Feb 2026 11:00:00 GMT", 0.0),
        ("soon", 0.0),
        ("-3", 0.0),
        ("٣", 0.0),
        ("9" * 500, 999_999_999.0),
    ],
)
def test_retry_after_is_seconds_or_a_date(value: str | None, seconds: float) -> None:
    assert retry_after_s(value, datetime(2026, 2, 1, 12, tzinfo=UTC)) == seconds


def test_every_status_has_a_meaning() -> None:
    answers = {status: answer_of(status, "cloudevents") for status in range(100, 600)}
    assert {status for status, answer in answers.items() if answer == "taken"} == set(range(200, 300))
    assert {status for status, answer in answers.items() if answer == "busy"} == {
        *(408, 425, 429),
        *range(500, 600),
    }
    assert [status for status, answer in answers.items() if answer == "gone"] == [410]
