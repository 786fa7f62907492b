"""The whole notifier, as a process, on a real broker, with a real mail server and a real webhook."""

import json
import os
import re
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import OFFSET_BEGINNING, Consumer, TopicPartition

from local.brokers import EmbeddedBroker, die_with_parent, free_port
from notifier.links import Links
from schemas.nudge import Nudge, NudgeCancelled
from schemas.topics import DEAD_LETTERS, FEEDBACK, NUDGES, RECEIPTS
from streams import topics
from streams.publisher import Publisher
from streams.settings import Settings
from tests.brokers import TestBroker
from tests.notifier.nudging import cancelled, nudge
from tests.notifier.receivers import Receivers, receivers
from tests.streams.pipelines import records

ROOT = Path(__file__).parent.parent.parent.parent
IMPATIENT = ("-m", "tests.notifier.impatient")
KEY = "a key for the tests' links"
PATIENCE_S = 30.0

pytestmark = pytest.mark.kafka


@dataclass
class Post:
    """A broker's topics, the receivers, and the notifiers that were started."""

    settings: Settings
    receivers: Receivers
    folder: Path
    port: int = field(default_factory=free_port)
    processes: list[subprocess.Popen[bytes]] = field(default_factory=list)
    final: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        """Look at the receipts from their beginning."""
        self.looking = Consumer({"bootstrap.servers": self.settings.broker, "group.id": "tests"})
        self.looking.assign([TopicPartition(self.settings.prefix + RECEIPTS.name, 0, OFFSET_BEGINNING)])

    def environment(self, **more: str) -> dict[str, str]:
        chosen = {
            "HOMEROOM_BROKER": self.settings.broker,
            "HOMEROOM_PREFIX": self.settings.prefix,
            "HOMEROOM_NOTIFIER_EMAIL_URL": self.receivers.email_url,
            "HOMEROOM_NOTIFIER_IN_APP_URL": self.receivers.webhook_url,
            "HOMEROOM_NOTIFIER_ADDRESSES": str(self.folder / "book.json"),
            "HOMEROOM_NOTIFIER_PUBLIC_URL": f"http://127.0.0.1:{self.port}",
            "HOMEROOM_NOTIFIER_LINK_KEY": KEY,
            "HOMEROOM_NOTIFIER_GO_TO": "https://lms.example.org/{course_run}",
            "HOMEROOM_NOTIFIER_PORT": str(self.port),
            "HOMEROOM_NOTIFIER_METRICS_PORT": "0",
            "HOMEROOM_NOTIFIER_EMAIL_PER_MINUTE": "6000",
            "PYTHONPATH": os.pathsep.join([str(ROOT), os.environ["PYTHONPATH"]]),
        }
        return os.environ | chosen | more

    def start(self, *arguments: str, **more: str) -> subprocess.Popen[bytes]:
        """A notifier as a process."""
        with (self.folder / "notifier.log").open("ab") as log:
            process = subprocess.Popen(
                (sys.executable, *(arguments or IMPATIENT)),
                env=self.environment(**more),
                cwd=self.folder,
                stdout=log,
                stderr=log,
                preexec_fn=die_with_parent,  # noqa: PLW1509 - one system call
            )
        self.processes.append(process)
        return process

    def publish(self, *nudges: Nudge | NudgeCancelled | bytes) -> None:
        publisher = Publisher(self.settings.broker)
        for message in nudges:
            value = message if isinstance(message, bytes) else message.model_dump_json().encode()
            publisher.send(self.settings.prefix + NUDGES.name, value, "ann", 0)
        publisher.flush_now()

    def log(self) -> str:
        return (self.folder / "notifier.log").read_text(encoding="utf-8")

    def read(self, topic: str) -> list[dict[str, Any]]:
        return [json.loads(record.value) for record in records(self.settings, topic) if record.value]

    def kinds(self) -> set[str]:
        """What has been said on the feedback topic."""
        return {event["kind"] for event in self.read(FEEDBACK.name)}

    def claimed(self) -> list[str]:
        """The nudge of each claim."""
        return [receipt["nudge_id"] for receipt in self.read(RECEIPTS.name) if receipt["state"] == "claimed"]

    def wait(self, reached: Callable[[], object], what: str) -> None:
        deadline = time.monotonic() + PATIENCE_S
        while not reached():
            for process in self.processes:
                assert process.poll() in (None, 0, -signal.SIGKILL), self.log()
            assert time.monotonic() < deadline, f"not in {PATIENCE_S:.0f} s: {what}\n{self.log()}"
            time.sleep(0.1)

    def wait_final(self, *names: str) -> None:
        """Wait until the receipts have told the end of these nudges."""

        def ended() -> bool:
            for record in self.looking.consume(500, 0.1):
                receipt = json.loads(record.value() or b"{}")
                if receipt.get("state") in ("sent", "dropped"):
                    self.final.add(receipt["nudge_id"])
            return self.final >= set(names)

        self.wait(ended, f"receipts of {names}")

    def committed(self) -> int:
        group = f"{self.settings.prefix}{self.settings.group}-notifier"
        consumer = Consumer({"bootstrap.servers": self.settings.broker, "group.id": group})
        try:
            position = TopicPartition(self.settings.prefix + NUDGES.name, 0)
            return consumer.committed([position], timeout=20)[0].offset
        finally:
            consumer.close()


class NotFollowing(urllib.request.HTTPRedirectHandler):
    """Takes a redirection as the answer."""

    def http_error_302(self, req: Any, fp: Any, code: int, msg: str, headers: Any) -> Any:
        return fp


@pytest.fixture
def post(broker: TestBroker, prefix: str, tmp_path: Path) -> Iterator[Post]:
    """Topics, servers and an address book; what was started is ended."""
    with posted(broker.address, prefix, tmp_path) as made:
        yield made


@contextmanager
def posted(address: str, prefix: str, tmp_path: Path) -> Iterator[Post]:
    topics.create(address, 2, prefix=prefix)
    book = {"ann": {"email": "ann@example.org", "name": "Ann"}, "bob": {"email": "bob@example.org"}}
    (tmp_path / "book.json").write_text(json.dumps(book), encoding="utf-8")
    settings = Settings(_env_file=None, broker=address, prefix=prefix, partitions=2)
    with receivers() as boxes:
        made = Post(settings, boxes, tmp_path)
        try:
            yield made
        finally:
            made.looking.close()
            for process in made.processes:
                process.kill()
                process.wait()


def test_each_nudge_goes_once_at_its_time_and_everything_is_accounted_for(post: Post) -> None:
    process = post.start("-m", "cli.main", "notifier", "--send")
    post.publish(nudge("first"))
    post.wait_final("first")
    repeated = nudge("repeated")
    taken_back = nudge("taken back", due_in_s=2.0)
    post.publish(
        nudge("later", due_in_s=5.0),
        taken_back,
        cancelled(taken_back),
        repeated,
        repeated,
        nudge("expired", due_in_s=-100.0, lasts_s=50.0),
        nudge("by-sms", channel="sms"),
        nudge("nobody's", learner="unknown"),
        nudge("webhook", learner="unknown", channel="in_app"),
        b'{"type": "nudge"}',
        repeated,
    )
    post.wait_final("repeated", "by-sms", "nobody's", "webhook")
    assert post.receivers.mailbox.counts == {"first": 1, "repeated": 1}, "what is due later holds nothing up"
    assert post.committed() <= 1, "what waits is not committed"
    post.wait_final("later", "taken back")
    assert post.receivers.mailbox.counts == {"first": 1, "repeated": 1, "later": 1}
    post.wait(lambda: post.committed() == 12, "everything committed")

    letters = {letter["dead_letter_id"]: letter["reason"] for letter in post.read(DEAD_LETTERS.name)}
    assert sorted(letters.values()) == ["invalid", "no_address", "no_channel"]
    delivered = {
        (event["nudge_id"], event["kind"], event["event_id"], event["learner"])
        for event in post.read(FEEDBACK.name)
    }
    assert delivered == {
        ("first", "delivered", "first:delivered", "ann"),
        ("repeated", "delivered", "repeated:delivered", "ann"),
        ("later", "delivered", "later:delivered", "ann"),
        ("webhook", "delivered", "webhook:delivered", "unknown"),
        ("by-sms", "undelivered", "by-sms:undelivered", "ann"),
        ("nobody's", "undelivered", "nobody's:undelivered", "unknown"),
    }
    reasons = {event["nudge_id"]: event["reason"] for event in post.read(FEEDBACK.name) if "reason" in event}
    assert reasons == {"by-sms": "no_channel", "nobody's": "no_address"}
    ((headers, body),) = post.receivers.webhook.posts
    assert headers["X-Homeroom-Nudge"] == body["nudge_id"] == "webhook"
    assert (body["learner"], body["message"].split(" http")[0]) == (
        "unknown",
        "Open the week you stopped at and read one page.",
    )
    post.publish(nudge("tomorrow", due_in_s=86_400.0))
    process.send_signal(signal.SIGTERM)
    assert process.wait(20) == 0
    written = post.log() + str(
        [post.read(topic) for topic in (FEEDBACK.name, RECEIPTS.name, DEAD_LETTERS.name)]
    )
    assert "example.org" not in written.replace("lms.example.org", ""), "addresses are in no log and no topic"


def test_a_mail_carries_what_a_mailbox_provider_asks_for_and_its_link_unsubscribes(post: Post) -> None:
    post.publish(nudge("first", text="<b>Open</b> & read {{ 7 * 7 }}"))
    post.start(HOMEROOM_NOTIFIER_TRACK_OPENS="true")
    post.wait_final("first")
    (mail,) = post.receivers.mailbox.mails
    assert post.receivers.mailbox.recipients == ["ann@example.org"]
    assert mail["Subject"] == "A small step in BBB/2014B"
    assert mail["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    html, text = mail.get_body(("html",)), mail.get_body(("plain",))
    assert html is not None
    assert text is not None
    assert "&lt;b&gt;Open&lt;/b&gt; &amp; read {{ 7 * 7 }}" in html.get_content()
    assert "<b>Open</b> & read {{ 7 * 7 }}" in text.get_content()
    assert "Hello Ann" in html.get_content()
    assert "Hello Ann" in text.get_content()
    for kind in ("clicked", "dismissed", "unsubscribed"):  # who reads text alone has the same links
        (link,) = re.findall(rf"http://\S+/{kind}/\S+", text.get_content())
        assert f'"{link}"' in html.get_content()

    link = re.fullmatch(r"<(\S+)>", str(mail["List-Unsubscribe"]))
    assert link is not None
    unsubscribe = link[1]
    assert unsubscribe in html.get_content()
    assert unsubscribe in text.get_content()
    with urllib.request.urlopen(unsubscribe, timeout=10) as page:
        assert b'<form method="post">' in page.read(), "looking changes nothing"
    post.wait(lambda: post.kinds() == {"delivered"}, "the delivery is said, and nothing else")
    with urllib.request.urlopen(unsubscribe, b"List-Unsubscribe=One-Click", timeout=10) as page:
        assert page.status == 200
    events = [event for event in post.read(FEEDBACK.name) if event["kind"] == "unsubscribed"]
    assert [(event["learner"], event["channel"], event["nudge_id"]) for event in events] == [
        ("ann", "email", "first")
    ]

    for kind in ("clicked", "opened"):
        link = re.search(rf"http://[^\"]+/{kind}/[^\"]+", html.get_content())
        assert link is not None
        answer = urllib.request.build_opener(NotFollowing).open(link[0], timeout=10)
        if kind == "clicked":
            assert answer.headers["Location"] == "https://lms.example.org/BBB%2F2014B"
        else:
            assert answer.read()[:6] == b"GIF89a"
        assert answer.headers["Cache-Control"] == "no-store"

    post.publish(nudge("unwelcome"), nudge("bob's", learner="bob"))
    post.wait_final("unwelcome", "bob's")
    assert post.receivers.mailbox.counts == {"first": 1, "bob's": 1}
    assert post.kinds() == {"delivered", "unsubscribed", "clicked", "opened"}
    forged = Links(unsubscribe.split("/unsubscribed")[0], "another key, as long").link(
        nudge("x"), "unsubscribed"
    )
    with pytest.raises(urllib.error.HTTPError, match="404"):
        urllib.request.urlopen(forged, b"", timeout=10)


def test_killed_in_the_middle_of_an_attempt_it_is_not_made_again(post: Post) -> None:
    post.receivers.mailbox.hold = True
    post.publish(nudge("cut-short"))
    first = post.start()
    assert post.receivers.mailbox.held.wait(PATIENCE_S), post.log()
    first.kill()
    first.wait()
    post.receivers.mailbox.hold = False
    post.receivers.mailbox.let_go.set()
    post.publish(nudge("next"))
    post.start()
    post.wait_final("cut-short", "next")
    assert post.receivers.mailbox.counts == {"cut-short": 1, "next": 1}
    (letter,) = post.read(DEAD_LETTERS.name)
    assert (letter["reason"], json.loads(letter["payload"])["nudge_id"]) == ("in_doubt", "cut-short")


def test_a_mail_server_that_falls_silent_with_the_mail_does_not_get_it_twice(post: Post) -> None:
    """It answers after half a minute, or never; by Apprise's word that was a refusal."""
    post.receivers.mailbox.hold = True
    impatient = post.receivers.email_url.replace("cto=120", "cto=1.5")
    post.publish(nudge("silence"))
    process = post.start(HOMEROOM_NOTIFIER_EMAIL_URL=impatient)
    post.wait_final("silence")
    post.receivers.mailbox.hold = False
    post.receivers.mailbox.let_go.set()
    post.publish(nudge("next"), nudge("silence"))
    post.wait_final("next")
    post.wait(lambda: post.committed() == 3, "everything committed")
    assert post.receivers.mailbox.counts == {"silence": 1, "next": 1}
    (letter,) = post.read(DEAD_LETTERS.name)
    assert (letter["reason"], json.loads(letter["payload"])["nudge_id"]) == ("unanswered", "silence")
    assert letter["detail"] == "attempt 1 was handed over, and no answer came: it may have been sent"
    steps = [
        (receipt["state"], receipt["reason"])
        for receipt in post.read(RECEIPTS.name)
        if receipt["nudge_id"] == "silence"
    ]
    assert steps == [("claimed", ""), ("dropped", "unanswered")]
    events = {(event["nudge_id"], event["kind"], event.get("reason")) for event in post.read(FEEDBACK.name)}
    assert events == {("silence", "undelivered", "unanswered"), ("next", "delivered", None)}
    process.send_signal(signal.SIGTERM)
    assert process.wait(20) == 0


def in_digest(name: str, send_at: datetime, **more: Any) -> Nudge:
    return nudge(name, **more).model_copy(
        update={"digest": True, "send_at": send_at, "expires_at": send_at + timedelta(hours=1)}
    )


def test_a_digest_is_one_mail_and_each_of_its_nudges_has_its_own_end(post: Post) -> None:
    send_at = datetime.now(UTC) + timedelta(seconds=4)
    one, recovered = in_digest("one", send_at, text="One page."), in_digest("recovered", send_at)
    expired = in_digest("expired", send_at).model_copy(update={"expires_at": send_at})
    post.publish(
        one,
        recovered,
        in_digest("two", send_at, text="Two pages.", suggestion="quiz-4"),
        one,
        expired,
        in_digest("bob's", send_at, learner="bob"),
        in_digest("nobody's", send_at, learner="unknown"),
        in_digest("elsewhere", send_at, channel="in_app"),
        cancelled(recovered),
        nudge("single"),
    )
    post.start(HOMEROOM_NOTIFIER_TRACK_OPENS="true")
    post.wait_final("single")
    assert post.receivers.mailbox.counts.total() == 1, "the digest is not due yet"
    post.wait_final("one", "two", "recovered", "bob's", "nobody's", "elsewhere")
    post.wait(lambda: post.committed() == 10, "everything committed")
    mails = {str(mail["X-Homeroom-Nudge"]): mail for mail in post.receivers.mailbox.mails}
    assert len(mails) == len(post.receivers.mailbox.mails) == 3
    bodies = [body.get_content() for mail in mails.values() if (body := mail.get_body(("html",))) is not None]
    (text,) = [body for body in bodies if "Two pages." in body]
    assert text.index("One page.") < text.index("Two pages.")
    (plain,) = [
        body.get_content()
        for mail in mails.values()
        if (body := mail.get_body(("plain",))) is not None and "Two pages." in body.get_content()
    ]
    assert plain.count("/clicked/") == plain.count("/dismissed/") == 2
    assert plain.count("/unsubscribed/") == 1
    assert "read one page" not in text
    delivered = ["bob's", "elsewhere", "one", "single", "two"]
    nudge_ids = {event["event_id"]: event["nudge_id"] for event in post.read(FEEDBACK.name)}
    assert sorted(nudge_ids.values()) == sorted([*delivered, "nobody's"])
    (letter,) = post.read(DEAD_LETTERS.name)
    assert letter["reason"] == "no_address"
    ends = {
        receipt["nudge_id"]: (receipt["state"], receipt["reason"])
        for receipt in post.read(RECEIPTS.name)
        if receipt["state"] in ("sent", "dropped")
    }
    assert {name: ends[name] for name in (*delivered, "recovered")} == dict.fromkeys(
        delivered, ("sent", "")
    ) | {"recovered": ("dropped", "recovered")}
    for link in re.findall(r"http://[^\"]+/clicked/[^\"]+", text):
        urllib.request.build_opener(NotFollowing).open(link, timeout=10)
    clicked = [event["nudge_id"] for event in post.read(FEEDBACK.name) if event["kind"] == "clicked"]
    assert clicked == ["one", "two"], "feedback is of the single nudges"

    late = in_digest("late", send_at, text="Three pages.")
    post.publish(late)
    post.wait_final("late")
    assert len(post.receivers.mailbox.mails) == 3, "the caps have counted one message"


def test_a_digest_that_is_cut_short_is_not_sent_again_nor_is_one_that_two_notifiers_have(post: Post) -> None:
    send_at = datetime.now(UTC)
    post.receivers.mailbox.hold = True
    post.publish(in_digest("one", send_at), in_digest("two", send_at))
    first = post.start()
    assert post.receivers.mailbox.held.wait(PATIENCE_S), post.log()
    first.kill()
    first.wait()
    post.receivers.mailbox.hold = False
    post.receivers.mailbox.let_go.set()
    other = {"HOMEROOM_GROUP": "another", "HOMEROOM_NOTIFIER_PORT": str(free_port())}
    post.publish(in_digest("three", send_at, learner="bob"), in_digest("four", send_at, learner="bob"))
    post.start(*IMPATIENT, "6")
    post.start(*IMPATIENT, "6", **other)
    post.wait_final("one", "two", "three", "four")
    letters = {
        json.loads(letter["payload"])["nudge_id"]: letter["reason"] for letter in post.read(DEAD_LETTERS.name)
    }
    assert letters == {"one": "in_doubt", "two": "in_doubt"}
    assert sorted(post.receivers.mailbox.counts.values()) == [1, 1], "ann's digest, and bob's"


def test_killed_after_the_receipt_and_before_the_commit_nothing_is_sent_again(post: Post) -> None:
    first = post.start()
    post.publish(nudge("first"))
    post.wait_final("first")
    post.publish(nudge("last", due_in_s=8.0), *(nudge(f"n{number}") for number in range(10)))
    post.wait_final(*(f"n{number}" for number in range(10)))
    first.kill()
    first.wait()
    post.publish(*(nudge(f"n{number}") for number in range(10)))
    post.start()
    post.wait_final("last")
    post.wait(lambda: post.committed() == 22, "everything committed")
    assert set(post.receivers.mailbox.counts.values()) == {1}
    assert len(post.receivers.mailbox.counts) == 12


def test_two_notifiers_that_have_the_same_nudges_send_each_once(post: Post) -> None:
    """As when one has lost its partition and does not know it yet: they are not in one group.

    No claim gets as old as to be taken for abandoned, however long the machine takes.
    """
    names, mailbox = ["first"], post.receivers.mailbox
    other = {"HOMEROOM_GROUP": "another", "HOMEROOM_NOTIFIER_PORT": str(free_port())}
    post.start(*IMPATIENT, "600")
    post.start(*IMPATIENT, "600", **other)
    post.publish(nudge("first"))
    post.wait(lambda: post.log().count("nudge first ") == 2, "both are there")
    for turn in range(12):  # until both have wanted the same one, which is a matter of milliseconds
        batch = [f"n{turn}-{number}" for number in range(20)]
        mailbox.let_go.clear()
        mailbox.hold = True
        post.publish(*(nudge(name) for name in batch))
        post.wait(lambda batch=batch: set(batch) & set(post.claimed()), "they are wanted")  # type: ignore[misc]
        mailbox.hold = False
        mailbox.let_go.set()
        post.wait_final(*batch)
        names += batch
        claimed = [name for name in post.claimed() if name != "first"]
        if len(claimed) > len(set(claimed)):
            break
    assert len(claimed) > len(set(claimed)), "both want the same nudge"
    assert mailbox.counts == dict.fromkeys(names, 1)


def test_a_refusal_is_tried_again_and_too_many_make_a_dead_letter(post: Post) -> None:
    post.receivers.mailbox.refusals = 2
    post.publish(nudge("in the end"))
    post.start()
    post.wait_final("in the end")
    assert post.receivers.mailbox.tried == 3
    steps = [(receipt["state"], receipt["attempt"]) for receipt in post.read(RECEIPTS.name)]
    assert steps == [
        ("claimed", 1),
        ("failed", 1),
        ("claimed", 2),
        ("failed", 2),
        ("claimed", 3),
        ("sent", 3),
    ]
    post.receivers.mailbox.refusals = 100
    post.publish(nudge("never"))
    post.wait_final("never")
    assert post.receivers.mailbox.tried == 3 + 4
    (letter,) = post.read(DEAD_LETTERS.name)
    assert (letter["reason"], letter["detail"]) == (
        "undeliverable",
        "the provider refused it 4 times, at last by 451 to the mail",
    )


def test_a_mailbox_that_is_no_more_is_tried_once_and_the_log_says_so_with_counts(post: Post) -> None:
    port = free_port()
    mailbox = post.receivers.mailbox
    mailbox.gone.add("ann@example.org")
    names = [f"n{number}" for number in range(40)]
    post.publish(*map(nudge, names), nudge("bob's", learner="bob"))
    process = post.start(HOMEROOM_NOTIFIER_METRICS_PORT=str(port))
    post.wait_final(*names, "bob's")
    assert (mailbox.asked, mailbox.counts) == (41, {"bob's": 1})
    letters = {(letter["reason"], letter["detail"]) for letter in post.read(DEAD_LETTERS.name)}
    assert letters == {("rejected", "the provider refused it for good: 550 5.1.1 to RCPT TO")}
    process.send_signal(signal.SIGTERM)
    assert process.wait(20) == 0
    lines = [line for line in post.log().splitlines() if "rejected by the provider" in line]
    assert 2 <= len(lines) <= 4, "at once, and then added up"
    assert "email: rejected by the provider: 550 5.1.1 to RCPT TO" in lines[0]
    assert sum(int(repeats[1]) for line in lines if (repeats := re.search(r"; (\d+) times more", line))) == 39
    assert "ann@example.org" not in post.log()


def test_nothing_in_a_record_ends_it(post: Post) -> None:
    """By the way through a broker; what is tried of all fields is in test_hostile."""
    far = datetime.max.replace(tzinfo=UTC)
    names = ["a\r\nBcc: eve@example.org", "\0", "é" * 128, "{{ 7 * 7 }}", "../.."]
    process = post.start()
    post.publish(
        *(nudge(name, campaign=name, text=name, course_run=name) for name in names),
        *(nudge(name + "2"[: 128 - len(name)], channel="in_app") for name in names[:2]),
        nudge("far", send_at=far, expires_at=far, digest=True),
        json.dumps({"type": "nudge", "x" * 500_000: 1}).encode(),
        b"\xff\r\n",
        nudge("last"),
    )
    post.wait_final(*names, "last")
    post.wait(lambda: post.committed() == 11, "everything committed")
    assert post.receivers.mailbox.recipients == ["ann@example.org"] * 6
    assert not any(mail["Bcc"] for mail in post.receivers.mailbox.mails)
    letters = [letter["detail"] for letter in post.read(DEAD_LETTERS.name)]
    assert len(letters) == 3
    assert any(detail.startswith("expires_at: found 9999-12-31") for detail in letters)
    process.send_signal(signal.SIGTERM)
    assert process.wait(20) == 0
    assert not [line for line in post.log().splitlines() if line.startswith("Bcc")]


def test_a_webhook_that_answers_busy_is_tried_again_and_too_many_times_make_a_dead_letter(post: Post) -> None:
    web = post.receivers.webhook
    web.statuses += [503, 429, 500]
    post.publish(nudge("in the end", channel="in_app"))
    post.start()
    post.wait_final("in the end")
    assert web.tried == ["in the end"] * 4  # as one message: by its id a receiver knows it again
    assert web.taken == ["in the end"]
    steps = [(receipt["state"], receipt["attempt"]) for receipt in post.read(RECEIPTS.name)]
    tries = [(state, number) for number in (1, 2, 3) for state in ("claimed", "failed")]
    assert steps == [*tries, ("claimed", 4), ("sent", 4)]
    waits = [later - earlier for earlier, later in pairwise(web.at)]
    assert all(wait >= least for wait, least in zip(waits, (0.05, 0.1, 0.1), strict=True)), waits
    web.statuses += [503] * 100
    post.publish(nudge("never", channel="in_app"))
    post.wait_final("never")
    assert web.tried.count("never") == 4
    assert web.taken == ["in the end"]
    (letter,) = post.read(DEAD_LETTERS.name)
    assert (letter["reason"], letter["detail"]) == (
        "undeliverable",
        "the provider refused it 4 times, at last by HTTP 503",
    )


def test_a_gateway_that_got_no_answer_may_have_delivered_so_it_is_not_asked_again(post: Post) -> None:
    web = post.receivers.webhook
    web.statuses.append(504)
    post.publish(nudge("perhaps", channel="in_app"), nudge("next", channel="in_app"))
    post.start()
    post.wait_final("perhaps", "next")
    assert sorted(web.tried) == ["next", "perhaps"]
    (letter,) = post.read(DEAD_LETTERS.name)
    assert letter["reason"] == "unanswered"


def test_a_broker_that_has_gone_is_a_readable_line_now_and_then(tmp_path: Path) -> None:
    with EmbeddedBroker() as broker, posted(broker.address, "", tmp_path) as post:
        process = post.start()
        post.publish(nudge("first"))
        post.wait(lambda: "nudge first by email: sent" in post.log(), "the nudge is sent")
        broker.kill()
        time.sleep(5.0)
        process.send_signal(signal.SIGTERM)
        process.wait(30)
        lines = post.log().splitlines()
        assert not [line for line in lines if line.startswith("%")], "librdkafka's own way"
        assert 1 <= sum(" librdkafka: " in line for line in lines) < 20


def test_the_dry_run_shows_and_leaves_no_trace(post: Post) -> None:
    post.publish(
        nudge("due"), nudge("old", due_in_s=-100.0, lasts_s=50.0), nudge("nobody's", learner="x"), b"{}"
    )
    done = subprocess.run(
        (sys.executable, "-m", "cli.main", "notifier", "--once"),
        env=post.environment(),
        cwd=post.folder,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert [line["would"] for line in lines] == [
        "send",
        "not send",
        "make a dead letter",
        "make a dead letter",
    ]
    assert lines[0]["to"] == "a…@example.org"
    assert "Open the week you stopped at" in lines[0]["text"]
    assert post.receivers.mailbox.mails == []
    assert [post.read(topic) for topic in (FEEDBACK.name, RECEIPTS.name, DEAD_LETTERS.name)] == [[], [], []]
    assert post.committed() < 0
    assert datetime.fromisoformat(lines[0]["send_at"]) < datetime.now(UTC)
