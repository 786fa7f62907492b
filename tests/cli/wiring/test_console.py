"""What the console is given: the model to ask, who is who, and the way into the feedback topic."""

import time
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from confluent_kafka import Consumer, TopicPartition

from cli.wiring.console import FeedbackOutbox, assembled
from cli.wiring.learner_directory import KeyFollower, LearnerDirectory, RosterError, read_roster
from cli.wiring.what_if import FRESH_S, PackageWhatIf
from console.access import make_key
from console.ports import NoModelError, OutboxDownError, Person, UnknownFeatureError
from engine.pseudonyms import Identity
from features.bins import bin_start, bins_of, value_range
from features.catalogue import FEATURES
from features.packed_arrays import unpack
from local.brokers import EmbeddedBroker, free_port
from local.demo_names import simulated_names
from online_models.design import Seen
from online_models.scoring import scorer_of
from schemas.inbound import feedback_adapter
from schemas.learner import NudgeFeedback
from schemas.learning import DayPackage
from schemas.topics import RISK_CHANGES
from sources.stream import instant
from streams import topics
from streams.publisher import Publisher
from tests.brokers import TestBroker
from tests.conftest import MakeTopic
from tests.console.conftest import served
from tests.stores import fresh_database, real_server_or_embedded
from tests.streams import pipelines as p

RUN = p.PLAN.runs[1].course_run
IDENTITY = Identity(b"of the tests")


# -- the model ------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def package() -> DayPackage:
    """A day on which the model serves and the run has a cohort."""
    found = [DayPackage.model_validate_json(raw) for raw in p.straight().packages.values()]
    return [one for one in found if not one.model.warming_up and RUN in one.cohorts][-1]


def test_the_start_is_the_middle_of_the_cohort(package: DayPackage) -> None:
    """And it is estimated as the run's learners are: moved by what its withdrawals say."""
    found = PackageWhatIf(lambda: package).estimate(RUN, {})
    ranks = unpack(package.cohorts[RUN])
    codes = np.abs(ranks.astype(int) - 127).argmin(axis=1).astype(np.uint8)
    ranked = ranks[np.arange(len(codes)), codes].astype(np.uint8)
    seen = Seen.of_run(codes[:, None], ranked[:, None], RUN, None)
    shift = package.intercepts[RUN]
    expected = scorer_of(package.model).at(shift).estimate(seen).lost
    assert shift
    assert found.probability == found.base_probability == expected[0]
    assert found.effects == ()
    assert found.model_state == "serving"


def test_each_feature_can_be_asked_in_its_own_unit(package: DayPackage) -> None:
    what_if = PackageWhatIf(lambda: package)
    moved = 0
    for feature in FEATURES:
        low, high = (
            what_if.estimate(RUN, {feature.name: bin_start(feature, bin_)}).probability for bin_ in (0, 60)
        )
        moved += low != high
    assert moved > len(FEATURES) // 2
    several = what_if.estimate(RUN, {"silence": 25, "clicks_7": 0, "active_days_14": 0})
    parts = sum(effect.contribution for effect in several.effects)
    odds = [np.log(one / (1 - one)) for one in (several.base_probability, several.probability)]
    assert parts == pytest.approx(odds[1] - odds[0], abs=1e-3)  # all that changed, and nothing else


@pytest.mark.parametrize(
    ("features", "words"),
    [
        ({"age": 1.0}, "'age' is not known"),
        ({"silence": float("nan")}, "silence is nan; expected 0 to 65535"),
        ({"silence": 1e300}, r"silence is 1e\+300; expected 0 to 65535"),
        ({"silence": float("inf")}, "silence is inf; expected"),
        ({"clicks_7": -5}, "clicks_7 is -5; expected 0 to 65535"),
        ({"active_days_7": 8}, "active_days_7 is 8; expected 0 to 7"),
        ({"missed": -0.1}, "missed is -0.1; expected 0 to 1"),
        ({"silence": 3, "score_mean": 70}, "score_mean is 70; expected 0 to 1"),
    ],
)
def test_what_cannot_be_asked(package: DayPackage, features: dict[str, float], words: str) -> None:
    with pytest.raises(UnknownFeatureError, match=words):
        PackageWhatIf(lambda: package).estimate(RUN, features)


def test_a_larger_value_is_never_taken_for_a_smaller_one(package: DayPackage) -> None:
    """Up to the last value that may be asked, whatever a float's size does to whole numbers."""
    what_if = PackageWhatIf(lambda: package)
    for feature in FEATURES:
        low, high = value_range(feature)
        codes = [int(bins_of(feature, np.array([one]))[0]) for one in np.linspace(low, high, 9)]
        assert codes == sorted(codes)
        assert what_if.estimate(RUN, {feature.name: high}).probability == pytest.approx(
            what_if.estimate(RUN, {feature.name: bin_start(feature, 63)}).probability
        )


def test_no_package_and_no_cohort_yet(package: DayPackage) -> None:
    with pytest.raises(NoModelError):
        PackageWhatIf(lambda: None).estimate(RUN, {})
    assert 0 < PackageWhatIf(lambda: package).estimate("new/run", {}).probability < 1


def test_the_newest_package_is_asked_for_now_and_then(package: DayPackage) -> None:
    now, asked = [0.0], []

    def newest() -> DayPackage:
        asked.append(now[0])
        return package.model_copy(update={"day": package.day + len(asked)})

    what_if = PackageWhatIf(newest, lambda: now[0])
    days = [what_if.estimate(RUN, {}).day for now[0] in (0.0, FRESH_S - 1, FRESH_S, FRESH_S + 1)]
    assert asked == [0.0, FRESH_S]
    assert days[0] == days[1] < days[2] == days[3]


# -- who is who -----------------------------------------------------------------------------------------


def test_a_directory_knows_whom_it_was_told_of() -> None:
    directory = LearnerDirectory(IDENTITY, {"u1": "Ada", "u2": ""})
    directory.learn(["u3"])
    assert directory.person(IDENTITY.learner("u1")) == Person("u1", "Ada")
    assert directory.person(IDENTITY.learner("u2")) == Person("u2", "u2")
    assert directory.person(IDENTITY.learner("u3")) == Person("u3", "u3")
    assert directory.person(IDENTITY.learner("u4")) is None
    assert directory.person("u1") is None


def test_a_roster(tmp_path: Path) -> None:
    file = tmp_path / "roster.csv"
    file.write_text('\ufefflearner,name,group\nu1,Ada Byron,A\nu2,"Hopper, Grace",B\n', encoding="utf-8")
    assert read_roster(file) == {"u1": "Ada Byron", "u2": "Hopper, Grace"}
    file.write_text("id;name\n", encoding="utf-8")
    with pytest.raises(RosterError, match="expected the columns learner and name"):
        read_roster(file)
    with pytest.raises(RosterError, match="nowhere"):
        read_roster(tmp_path / "nowhere.csv")


def test_ids_are_read_from_a_topic_and_names_are_made_up_the_same_way(
    broker: TestBroker, make_topic: MakeTopic
) -> None:
    topic, directory = make_topic(partitions=2), LearnerDirectory(IDENTITY)
    publisher = Publisher(broker.address)
    publisher.send(topic, b"{}", "u1")
    publisher.flush_now()
    follower = KeyFollower(directory, broker.address, topic)
    follower.start()
    try:
        for learner in ("u1", "u2"):
            deadline = time.monotonic() + 20
            while directory.person(IDENTITY.learner(learner)) is None:
                assert time.monotonic() < deadline, learner
                time.sleep(0.05)
            publisher.send(topic, b"{}", "u2")  # while it is being followed
            publisher.flush_now()
    finally:
        follower.stop()
    assert simulated_names(["u1"]) == simulated_names(["u1"])


# -- the outbox -----------------------------------------------------------------------------------------


def _word() -> NudgeFeedback:
    word: Any = {
        "type": "feedback",
        "event_id": "e1",
        "learner": "u1",
        "course_run": RUN,
        "nudge_id": None,
        "kind": "helped",
        "occurred_at": instant(1_700_000_000),
        "source": "Ada",
    }
    checked: NudgeFeedback = feedback_adapter.validate_python(word)  # type: ignore[assignment]
    return checked


def test_a_word_is_on_the_topic_when_publish_returns(broker: TestBroker, make_topic: MakeTopic) -> None:
    topic = make_topic(partitions=1)
    FeedbackOutbox(broker.address, topic).publish(_word())
    consumer = Consumer(
        {"bootstrap.servers": broker.address, "group.id": topic, "auto.offset.reset": "earliest"}
    )
    consumer.assign([TopicPartition(topic, 0, 0)])
    record = consumer.poll(20)
    consumer.close()
    assert record is not None
    assert record.key() == b"u1"
    assert feedback_adapter.validate_json(record.value() or b"") == _word()


def test_a_broker_that_is_away_is_said_each_time() -> None:
    outbox = FeedbackOutbox(f"127.0.0.1:{free_port()}", "t", patience_s=0.3)
    for _ in range(2):
        with pytest.raises(OutboxDownError, match="did not take everything"):
            outbox.publish(_word())


def test_a_console_shows_the_store_while_the_broker_is_away_and_learns_the_rest_when_it_comes(
    tmp_path: Path,
) -> None:
    """What needs the broker says so; nothing has to be started again."""
    broker = EmbeddedBroker(port=free_port())
    shown, key = make_key("Ada", "admin", [])
    with real_server_or_embedded(tmp_path) as server, fresh_database(server) as store:
        settings = p.settings_of(broker.address, "", store)
        pseudonym = settings.identity.learner("learner-1")
        began = time.monotonic()
        with assembled(settings, [key]) as app, served(app) as url:
            asking = {"Authorization": f"Bearer {shown}"}
            assert httpx.get(f"{url}/api/v1/risks", headers=asking).json()["items"] == []
            assert time.monotonic() - began < 15
            directory = app.state.service.parts.directory
            with broker:
                topics.create(broker.address, 1, 1, "")
                publisher = Publisher(broker.address)
                publisher.send(RISK_CHANGES.name, b"{}", "learner-1")
                publisher.flush_now()
                deadline = time.monotonic() + 30
                while directory.person(pseudonym) is None and time.monotonic() < deadline:
                    time.sleep(0.2)
                assert directory.person(pseudonym) == Person("learner-1", "learner-1")
                publisher.close()
