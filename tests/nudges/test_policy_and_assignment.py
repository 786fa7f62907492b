"""The policy as data, its words for every feature there is, and the draw of the holdout."""

from datetime import UTC, datetime, time
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from pydantic import ValidationError

from features.catalogue import FEATURES
from nudges.assignment import held_out, pick, position
from nudges.policy import REACH_OUT, Campaign, Cap, Policy, Suggestion, phase_of
from nudges.quiet_hours import QuietHours, next_allowed, zone
from schemas.risk import Reason

LEARNERS = [f"learner-{number}" for number in range(20_000)]
VARIANT = REACH_OUT.variants[0].model_dump()
SUGGESTIONS = VARIANT["suggestions"]


def with_suggestions(*suggestions: dict[str, Any]) -> dict[str, Any]:
    return VARIANT | {"suggestions": suggestions}


def test_the_version_names_the_content() -> None:
    assert Policy().version == Policy().version
    assert Policy().version.startswith("first-")
    others = [
        Policy(caps=(Cap(most=1, days=8),)),
        Policy(study_time=None),
        Policy(holdout_key="another"),
        Policy(quiet_hours=None),
        Policy(name="second"),
        Policy(campaigns=(REACH_OUT.model_copy(update={"goal": "another goal"}),)),
    ]
    assert len({policy.version for policy in (Policy(), *others)}) == len(others) + 1
    assert Policy.model_validate_json(Policy().model_dump_json()).version == Policy().version


@pytest.mark.parametrize("feature", FEATURES, ids=lambda feature: feature.name)
def test_every_feature_is_answered_in_its_own_group(feature: Any) -> None:
    suggestion = REACH_OUT.variant("plain").suggestion(
        Reason(feature=feature.name, text="t", contribution=1.0)
    )
    expected = {"deadlines": "deadlines", "silence": "silence"}.get(feature.group)
    if expected is not None:
        assert suggestion.about == expected
    if suggestion.about in ("deadlines", "scores"):
        assert feature.group in (suggestion.about, "course")


def test_values_in_a_text_are_inserted_and_never_interpreted() -> None:
    text = Suggestion(about="all", text="$course_run: $reason, $$5")
    variables = {"course_run": "$reason", "reason": "{0.__class__} $goal", "goal": "g"}
    assert text.render(variables) == "$reason: {0.__class__} $goal, $5"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"caps": [{"most": 0, "days": 7}]}, "greater than or equal to 1"),
        ({"caps": [{"most": 1, "days": 91}]}, "less than or equal to 90"),
        ({"caps": [{"most": 1, "days": 7, "campaign": "x"}]}, r"caps names campaign 'x'; expected one of"),
        ({"digest": {"at": "09:00+01:00"}}, "expected a local time without a zone"),
        ({"holdout_share": 1.5}, "less than or equal to 1"),
        ({"default_timezone": "Mars/Base"}, "default_timezone is 'Mars/Base'; expected an IANA name"),
        ({"default_timezone": "localtime"}, "expected an IANA name"),
        ({"holdout_key": "k" * 65}, "holdout_key has 65 bytes; expected at most 64"),
        ({"campaigns": ()}, "at least 1 item"),
        ({"campaigns": (REACH_OUT, REACH_OUT)}, "two named 'reach-out'"),
        (
            {"campaigns": (REACH_OUT, REACH_OUT.model_copy(update={"name": "two"}))},
            "'reach-out' answers low → high always, so 'two' after it never would",
        ),
        ({"quiet_hours": {"start": "08:00", "end": "08:00"}}, "start and end are both 08:00:00"),
        ({"quiet_hours": {"start": "21:00+01:00", "end": "08:00"}}, "expected a local time without a zone"),
        ({"quiet_hours": {"start": "21:00", "end": "08:00:00.5"}}, "expected whole seconds"),
        ({"caps_days": 7}, "Extra inputs are not permitted"),
    ],
)
def test_a_policy_that_makes_no_sense_is_refused(change: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        Policy.model_validate(change)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"name": "none"}, "that one means no campaign"),
        ({"transitions": [("high", "high")]}, "high → high; expected two different levels"),
        ({"channels": ["email", "email"]}, "channels has two named 'email'"),
        ({"variants": [VARIANT, VARIANT]}, "variants has two named 'plain'"),
        ({"variants": [VARIANT | {"weight": 0}]}, "greater than 0"),
        ({"variants": [with_suggestions(*SUGGESTIONS[:1])]}, "expected a last one for every reason"),
        ({"variants": [with_suggestions({"about": "all", "text": "$learner"})]}, r"text names \['learner'\]"),
        (
            {"variants": [with_suggestions({"about": "all", "text": "5 $ off"})]},
            "expected \\$\\$ for a dollar sign",
        ),
    ],
)
def test_a_campaign_that_makes_no_sense_is_refused(change: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        Campaign.model_validate(REACH_OUT.model_dump() | change)


@pytest.mark.parametrize("name", [None, "", "Mars/Base", "../../etc/passwd", "localtime", "America", "\0"])
def test_a_zone_that_does_not_exist_is_the_default(name: str | None) -> None:
    assert zone(name, "Europe/Berlin") == ZoneInfo("Europe/Berlin")


@pytest.mark.parametrize(
    ("at", "end", "expected"),
    [
        ("2026-10-24T21:30+02:00", "08:00", "2026-10-25T08:00+01:00"),  # a night of 25 hours' day
        ("2026-03-28T21:30+01:00", "02:30", "2026-03-29T03:30+02:00"),  # 02:30 was jumped over
        ("2026-10-25T01:00+02:00", "02:30", "2026-10-25T02:30+02:00"),  # shown twice: the first
        ("2026-10-25T02:10+01:00", "02:30", "2026-10-25T02:30+01:00"),  # shown twice: the one to come
        ("2026-06-01T08:00+02:00", "08:00", "2026-06-01T08:00+02:00"),  # the end is no longer quiet
        ("2026-06-01T21:00+02:00", "08:00", "2026-06-02T08:00+02:00"),  # the start is
    ],
)
def test_nights_over_a_clock_change(at: str, end: str, expected: str) -> None:
    quiet = QuietHours(start=time(21), end=time.fromisoformat(end))
    moment = int(datetime.fromisoformat(at).timestamp())
    found = datetime.fromtimestamp(next_allowed(moment, ZoneInfo("Europe/Berlin"), quiet), UTC)
    assert found == datetime.fromisoformat(expected)


def test_the_holdout_has_its_share() -> None:
    drawn = sum(held_out("key", learner, "A/1", 0.1) for learner in LEARNERS)
    assert abs(drawn / len(LEARNERS) - 0.1) < 0.01  # 4.7 standard errors


def test_the_holdout_is_sticky_and_grows_with_its_share() -> None:
    small = {learner for learner in LEARNERS if held_out("key", learner, "A/1", 0.1)}
    large = {learner for learner in LEARNERS if held_out("key", learner, "A/1", 0.2)}
    assert small < large
    assert not any(held_out("key", learner, "A/1", 0.0) for learner in LEARNERS)
    assert all(held_out("key", learner, "A/1", 1.0) for learner in LEARNERS)


@pytest.mark.parametrize(("key", "course_run"), [("another", "A/1"), ("key", "B/1")])
def test_draws_of_other_keys_and_runs_are_independent(key: str, course_run: str) -> None:
    both = sum(held_out("key", one, "A/1", 0.5) and held_out(key, one, course_run, 0.5) for one in LEARNERS)
    assert abs(both / len(LEARNERS) - 0.25) < 0.015


def test_the_draw_is_the_same_for_ever() -> None:
    """A change of these numbers would move learners between the arms of a running comparison."""
    assert position("homeroom-holdout-1", "ann", "BBB/2014B") == 0.28205862812632887
    assert position("k", "ab", "c") != position("k", "a", "bc")


def test_draws_of_an_enrolment_are_independent() -> None:
    held = [position("key", learner, "A/1") for learner in LEARNERS]
    variant = [position("key", learner, "A/1", "variant/reach-out") for learner in LEARNERS]
    other = [position("key", learner, "A/1", "variant/another") for learner in LEARNERS]
    for one, two in ((held, variant), (variant, other)):
        both = sum(a < 0.5 and b < 0.5 for a, b in zip(one, two, strict=True))
        assert abs(both / len(LEARNERS) - 0.25) < 0.015


def test_a_place_falls_on_the_choice_whose_share_it_lies_in() -> None:
    shares = [0.2, 0.0, 0.5, 0.3]
    assert [pick(place, shares) for place in (0.0, 0.1999, 0.2, 0.6999, 0.7, 0.9999)] == [0, 0, 2, 2, 3, 3]
    assert pick(0.999999999999, [0.1] * 10) == 9
    assert pick(0.999999999999, [1.0, 0.0]) == 0
    for wrong in ([0.5, 0.4], [1.5, -0.5], []):
        with pytest.raises(ValueError, match="expected shares that add up to 1"):
            pick(0.5, wrong)


@pytest.mark.parametrize(
    ("elapsed", "phase"),
    [(0.0, "start"), (0.249, "start"), (0.25, "middle"), (0.749, "middle"), (0.75, "end"), (1.0, "end")],
)
def test_a_run_has_three_phases(elapsed: float, phase: str) -> None:
    assert phase_of(elapsed) == phase


def test_a_variant_that_is_not_there_is_named() -> None:
    with pytest.raises(KeyError, match="campaign 'reach-out' has no variant 'x'"):
        REACH_OUT.variant("x")
