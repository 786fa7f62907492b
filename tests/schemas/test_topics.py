"""The list of topics is sound, and the vocabularies in it are documented."""

import json
import re
from pathlib import Path
from typing import Literal, get_args

import pytest

from schemas import activity, dead_letter, enrolment, learner, nudge, risk
from schemas.topics import STATE, TOPICS, TopicSpec

VOCABULARIES = {
    "activity.ActivityKind": activity.ActivityKind,
    "dead_letter.DeadLetterReason": dead_letter.DeadLetterReason,
    "learner.FeedbackKind": learner.FeedbackKind,
    "learner.Channel": learner.Channel,
    "nudge.DecisionReason": nudge.DecisionReason,
    "risk.RiskLevel": risk.RiskLevel,
    "risk.ModelState": risk.ModelState,
}


def test_names_are_unique_and_ours() -> None:
    names = [topic.name for topic in TOPICS]
    assert len(set(names)) == len(names)
    assert [name for name in names if not re.fullmatch(r"homeroom\.[a-z]+(-[a-z]+)*", name)] == []


@pytest.mark.parametrize("topic", TOPICS, ids=lambda topic: topic.name)
def test_a_topic_is_described(topic: TopicSpec) -> None:
    assert topic.purpose
    assert topic.key
    assert (topic.adapter is None) == (topic is STATE), "only packed state rows are not JSON"


@pytest.mark.parametrize("topic", [it for it in TOPICS if it.adapter], ids=lambda topic: topic.name)
def test_every_message_says_its_type_and_version(topic: TopicSpec) -> None:
    assert topic.adapter is not None
    schema = topic.adapter.json_schema()
    messages = [schema["$defs"][it["$ref"].split("/")[-1]] for it in schema.get("oneOf", [])] or [schema]
    for message in messages:
        assert message["properties"]["type"]["const"]
        version = message["properties"]["version"]
        assert version.get("enum", [version.get("const")])[0] == 1, "the first version is read for ever"
        assert message["description"], "what the message means, for whoever reads the schema alone"


@pytest.mark.parametrize("name", VOCABULARIES)
def test_a_vocabulary_has_no_word_twice_and_plain_words(name: str) -> None:
    words = get_args(VOCABULARIES[name])
    assert len(set(words)) == len(words) > 1
    assert [word for word in words if not re.fullmatch(r"[a-z]+(_[a-z]+)*", word)] == []


def test_the_activity_kinds_are_all_explained_and_exported() -> None:
    source = Path(activity.__file__).read_text(encoding="utf-8")
    for kind in activity.ACTIVITY_KINDS:
        assert re.search(rf'^    "{kind}",  # \S', source, re.MULTILINE), f"{kind} has no comment"
    schema = json.loads((Path(activity.__file__).parent / "json" / "homeroom.events.json").read_text())
    kinds = schema["$defs"]["ActivityEvent"]["properties"]["kind"]["enum"]
    assert tuple(kinds) == activity.ACTIVITY_KINDS


def test_results_and_levels_are_those_of_the_design() -> None:
    assert get_args(risk.RiskLevel) == ("low", "medium", "high")
    result = enrolment.Completed.__annotations__["result"]
    assert result == Literal["pass", "distinction", "fail"]
