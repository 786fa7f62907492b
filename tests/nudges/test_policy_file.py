"""A policy from YAML: the shipped one, the docs' one, and every mistake at its line and column."""

import re
from importlib import resources
from pathlib import Path
from typing import get_args

import pytest

from features.catalogue import FEATURES
from nudges.policy import Policy
from nudges.policy_file import MAX_CHARACTERS, PolicyError, parse_policy
from schemas.nudge import DecisionReason

SHIPPED = (resources.files("nudges") / "default-policy.yaml").read_text("utf-8")
PAGE = (Path(__file__).parents[2] / "docs/nudges.md").read_text("utf-8")
NAMES = [feature.name for feature in FEATURES]


def test_the_shipped_file_is_the_default_policy() -> None:
    assert parse_policy(SHIPPED, NAMES) == Policy()
    assert parse_policy(SHIPPED).version == Policy().version


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        (
            "name: first",
            "name: First!",
            "line 4, column 7: name: found 'First!'; expected lower-case letters",
        ),
        (
            "[email]",
            "[email, mail]",
            "line 10, column 23: campaigns[0].channels[1]: found 'mail'; expected 'email', 'sms',",
        ),
        ("    goal: ", "    gaol: ", "line 7, column 5: campaigns[0].goal: is missing"),
        ("    goal: ", "    gaol: ", "line 9, column 5: campaigns[0].gaol: is no setting that a policy has"),
        (
            "[low, high], ",
            "[low, hgih], ",
            "campaigns[0].transitions[0][1]: found 'hgih'; expected 'low', 'me",
        ),
        ('"21:00"', '"08:00"', "line 39, column 14: quiet_hours: start and end are both 08:00:00"),
        ("within_hours: 48", "within_hours: no", "line 40, column 28: study_time.within_hours: found 'no'"),
        (
            "$course_run has",
            "$learner has",
            "campaigns[0].variants[0].suggestions[3].text: text names ['lear",
        ),
        (
            "gap]",
            "gpa]",
            "line 27, column 33: campaigns[0].variants[0].suggestions[2].features[1]: found 'gpa'",
        ),
        (
            "days: 7",
            "days: 7, campaign: x",
            "line 37, column 34: caps[0].campaign: caps names campaign 'x'; ",
        ),
        ("days: 7", "days: 0", "line 37, column 21: caps[0].days: found '0'; expected at least 1"),
        ("[email]", "[]", "line 10, column 15: campaigns[0].channels: expected at least 1, found 0"),
        ("[email]", "[email, email]", "line 10, column 23: campaigns[0].channels[1]: channels has two"),
        ("[medium, high]]", "[low, low]]", "line 8, column 32: campaigns[0].transitions[1]: transitions has"),
        ("about: activity", "about: none\n            features: [gap]", "line 31, column 13: campaigns[0]."),
        ("holdout_key:", "holdout_share:", "line 45, column 1: holdout_share: is given twice"),
        ("caps:", "caps: [", "is not YAML"),
        ("caps:", "caps: *all\nx:", "line 36, column 7: aliases are not read"),
        ("UTC", "Mars/Base", "default_timezone is 'Mars/Base'; expected an IANA name"),
    ],
)
def test_a_mistake_is_told_with_its_place(old: str, new: str, expected: str) -> None:
    assert old in SHIPPED
    with pytest.raises(PolicyError) as caught:
        parse_policy(SHIPPED.replace(old, new), NAMES)
    assert any(expected in line for line in str(caught.value).splitlines()), str(caught.value)


def test_every_mistake_is_told_once_and_in_order() -> None:
    text = SHIPPED.replace("[email]", "[mail]").replace("days: 7", "days: 0").replace("0.1", "2")
    with pytest.raises(PolicyError) as caught:
        parse_policy(text)
    assert [problem.path for problem in caught.value.problems] == [
        "campaigns[0].channels[0]",
        "caps[0].days",
        "holdout_share",
    ]


@pytest.mark.parametrize(
    "text", ["", "policy", "- a", "\0", "a: [", "x" * (MAX_CHARACTERS + 1), "{a: {b: c}: d}"]
)
def test_what_is_no_policy_at_all_is_refused(text: str) -> None:
    with pytest.raises(PolicyError, match="line 1, column"):
        parse_policy(text)


def test_scalars_mean_what_the_model_says() -> None:
    policy = parse_policy(
        "name: no\nquiet_hours: {start: 21:00, end: 8:30:00}\nstudy_time: null\n".replace("8:", "08:")
    )
    assert (policy.name, policy.study_time) == ("no", None)
    assert policy.quiet_hours is not None
    assert policy.quiet_hours.start.hour == 21
    with pytest.raises(PolicyError, match="line 1, column 13: study_time: found 'null'"):
        parse_policy('study_time: "null"')


def test_the_page_explains_every_reason() -> None:
    assert {reason for reason in get_args(DecisionReason) if f"`{reason}`" not in PAGE} == set()


def test_the_pages_example_is_a_policy() -> None:
    (example,) = re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)
    policy = parse_policy(example, NAMES)
    assert len(policy.campaigns) > 1
