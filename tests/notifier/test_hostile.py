"""Nothing in a message ends the notifier: hostile words in every field, by its real way to real receivers."""

import asyncio
import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from notifier.addresses import Contact, contact_of
from notifier.composing import Composer
from notifier.delivery import Delivery, RetryTiming
from notifier.links import Links
from notifier.metrics import Metrics
from notifier.nudge_consumer import Record
from notifier.outbox import Outbox
from notifier.pacing import Backoff, RateLimit
from notifier.preview import preview_line
from notifier.providers import Providers
from notifier.receipts import Receipts
from notifier.rendering import Templates
from notifier.settings import NotifierSettings
from notifier.withdrawals import Withdrawals
from schemas.dead_letter import DeadLetter
from schemas.inbound import feedback_adapter
from schemas.nudge import nudge_adapter
from tests.notifier.nudging import nudge
from tests.notifier.receivers import Receivers, receivers

BROKERS_LIMIT = 1_000_000


class Book:
    """Knows everybody."""

    async def find(self, learner: str) -> Contact | None:
        return contact_of(
            {"email": "ann@example.org", "sms": "+491701234567", "push": "a1:b-c", "name": learner}
        )

    async def close(self) -> None:
        """Nothing is open."""


class Topics:
    """Kafka's topics in memory: what is written to the receipts comes back, everything else is kept."""

    def __init__(self) -> None:
        self.written: list[tuple[str, bytes]] = []
        self.receipts = Receipts(self, "receipts")

    def send(self, topic: str, value: bytes | None, key: bytes | str | None = None) -> None:
        assert value is not None
        assert len(value) < BROKERS_LIMIT
        assert len(key.encode() if isinstance(key, str) else key or b"") < BROKERS_LIMIT
        self.written.append((topic, value))
        if topic == "receipts":
            asyncio.get_running_loop().call_soon(self.receipts.apply_record, value)

    async def flush(self) -> None:
        """All is there."""

    def of(self, topic: str) -> list[bytes]:
        return [value for name, value in self.written if name == topic]


@pytest.fixture(scope="module")
def boxes() -> Iterator[Receivers]:
    with receivers() as both:
        yield both


@pytest.fixture(scope="module")
def composer(boxes: Receivers) -> Composer:
    """Every channel leads to a receiver."""
    providers = Providers(
        {
            "email": boxes.email_url,
            "in_app": boxes.webhook_url,
            "sms": boxes.webhook_url + "?:to={address}",
            "push": boxes.webhook_url.replace("json:", "form:").replace("/inbox", "/{address}"),
            "instructor": boxes.webhook_url.replace("json:", "xml:"),
        }
    )
    links = Links("https://nudges.example.org", "0123456789abcdef")
    course = "https://lms.example.org/{course_run}"
    return Composer(providers, Book(), Templates(), links, course, course + "/{object}", track_opens=True)


def delivery_to(composer: Composer, topics: Topics, withdrawals: Withdrawals) -> Delivery:
    limits = {channel: RateLimit(100_000) for channel in NotifierSettings().rates}
    patience = RetryTiming(Backoff(0.01, 0.01, attempts=2), gather_s=0.0)
    outbox = Outbox(topics, "")
    return Delivery(composer, topics.receipts, withdrawals, outbox, limits, Metrics(), patience)


TEXT = st.text(max_size=40) | st.sampled_from(
    ["a\r\nBcc: eve@example.org", "../../x", "{{ 7 * 7 }}", "\0", "", "%", "€" * 128, "𐀀" * 128, "]]>", " "]
)
ID = TEXT.filter(bool).map(lambda text: text[:128])
NOW = datetime.now(UTC)
ZONES = st.sampled_from([UTC, timezone(timedelta(hours=14)), timezone(timedelta(hours=-12))])
EDGES = st.sampled_from([datetime.min, datetime.max, datetime(1970, 1, 1), datetime(9999, 12, 31)])
EDGE = st.tuples(EDGES, ZONES).map(lambda pair: pair[0].replace(tzinfo=pair[1]))
NEAR = st.integers(-5000, -1).map(lambda seconds: NOW + timedelta(seconds=seconds))
SOON = st.integers(3600, 7200).map(lambda seconds: NOW + timedelta(seconds=seconds))
CHANNELS = st.sampled_from(["email", "sms", "push", "in_app", "instructor"])

NUDGES = st.fixed_dictionaries(
    {
        "type": st.just("nudge"),
        "nudge_id": ID,
        "risk_change_id": ID,
        "learner": ID,
        "course_run": ID,
        "campaign": TEXT,
        "variant": TEXT,
        "channel": CHANNELS,
        "digest": st.booleans(),
        "decided_at": NEAR | EDGE,
        "send_at": NEAR | NEAR | EDGE,
        "expires_at": SOON | SOON | EDGE,
        "goal": TEXT,
        "text": TEXT,
        "reasons": st.lists(TEXT, max_size=3),
    },
    optional={"suggestion": ID, "variables": st.dictionaries(TEXT, TEXT, max_size=2)},
)
JSON = st.none() | st.booleans() | st.integers() | st.floats() | TEXT | EDGE.map(str)
SPOILT = st.tuples(NUDGES, st.sampled_from(["nudge_id", "send_at", "channel", "unknown" * 50_000]), JSON).map(
    lambda three: {**three[0], three[1]: three[2]}
)
CANCELLED = st.fixed_dictionaries(
    {
        "type": st.just("nudge_cancelled"),
        "nudge_id": ID,
        "learner": ID,
        "course_run": ID,
        "cancelled_at": NEAR | EDGE,
        "reason": st.sampled_from(["recovered", "declined"]),
    }
)
RECORDS = (NUDGES | SPOILT | CANCELLED).map(
    lambda message: json.dumps(message, default=str).encode()
) | st.binary(max_size=40)
WISHES = st.fixed_dictionaries(
    {"event_id": ID, "learner": st.just("ann") | ID, "occurred_at": NEAR | EDGE},
    optional={"channel": CHANNELS | st.none(), "nudge_id": ID, "reason": TEXT, "source": ID},
).flatmap(
    lambda feedback: st.sampled_from(
        [
            feedback | {"type": "feedback", "kind": "unsubscribed"},
            feedback | {"type": "preferences", "opted_out": ["sms"], "paused_until": feedback["occurred_at"]},
            feedback
            | {"type": "preferences", "timezone": feedback["event_id"], "digest": True, "suppressed": False},
            {key: feedback[key] for key in ("event_id", "learner", "occurred_at")} | {"type": "preferences"},
        ]
    )
)


@settings(max_examples=100, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(RECORDS, min_size=1, max_size=3), st.lists(WISHES, max_size=2))
@example([nudge("a\r\nBcc: eve@example.org").model_dump_json().encode()], [])
@example([nudge("x" * 128, campaign="a\0b").model_dump_json().encode()], [])
@example([nudge("a", digest=True, send_at=datetime.max.replace(tzinfo=UTC)).model_dump_json().encode()], [])
def test_whatever_is_in_a_record_the_notifier_goes_on_and_the_record_has_its_end(
    boxes: Receivers, composer: Composer, values: list[bytes], wishes: list[dict[str, Any]]
) -> None:
    asyncio.run(
        deal_with(boxes, composer, values, [json.dumps(wish, default=str).encode() for wish in wishes])
    )


async def deal_with(boxes: Receivers, composer: Composer, values: list[bytes], wishes: list[bytes]) -> None:
    topics, withdrawals = Topics(), Withdrawals()
    delivery = delivery_to(composer, topics, withdrawals)
    for value in (*values, *wishes, b"", b"{}"):
        withdrawals.apply_nudge_record(value)
        withdrawals.apply_feedback_record(value)
        topics.receipts.apply_record(value)
    for offset, value in enumerate(values):
        recipients = len(boxes.mailbox.recipients)
        outcome = await ended(delivery, Record(0, offset, value))
        assert outcome != "failed", "nothing of it raises anything"
        assert set(boxes.mailbox.recipients[recipients:]) <= {"ann@example.org"}
        letters = [DeadLetter.model_validate_json(value) for value in topics.of("homeroom.dead-letters")]
        assert (offset in {letter.offset for letter in letters}) == (outcome not in NO_LETTER)
        line = await preview_line(composer, value)
        assert line["would"]
    for value in topics.of("homeroom.feedback"):
        feedback_adapter.validate_json(value)  # or it would be a dead letter of the worker's


NO_LETTER = ("sent", "known", "expired", "withdrawn", "cancellation", "late", "waits")


async def ended(delivery: Delivery, record: Record) -> str:
    """What became of a record; ``waits`` where it is not due."""
    try:
        nudge_or_not = nudge_adapter.validate_json(record.value)
        waits = nudge_or_not.type == "nudge" and nudge_or_not.send_at > datetime.now(UTC)
    except ValueError:
        waits = False
    try:
        return await asyncio.wait_for(delivery.deliver(record), 0.1 if waits else 60)
    except TimeoutError:
        assert waits
        return "waits"


async def test_a_defect_in_dealing_with_one_nudge_is_its_dead_letter_and_not_the_end(
    composer: Composer,
) -> None:
    """A template of somebody's own that does not bear a nudge without reasons, for one."""
    topics = Topics()

    class Broken(Book):
        async def find(self, learner: str) -> Contact | None:
            raise ZeroDivisionError

    broken = Composer(composer.providers, Broken(), composer.templates, composer.links)
    delivery = delivery_to(broken, topics, Withdrawals())
    value = nudge("n", channel="sms").model_dump_json().encode()
    assert await delivery.deliver(Record(0, 7, value)) == "failed"
    (letter,) = [DeadLetter.model_validate_json(value) for value in topics.of("homeroom.dead-letters")]
    assert (letter.offset, letter.reason, letter.detail) == (7, "failed", letter.detail)
    assert letter.detail.startswith("ZeroDivisionError at ")
    assert topics.receipts.state_of("n").final, "and it is not tried again"
