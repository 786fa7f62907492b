"""Levels: hysteresis, confirmation and independence, held against any course of probabilities."""

import dataclasses
import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nudges.levels import (
    HIGH,
    LOW,
    MEDIUM,
    Levels,
    LevelSettings,
    least_moving,
    level_name,
    speaks_for_change,
    update_levels,
)
from schemas.risk import RISK_LEVELS

PLAIN = LevelSettings(
    medium_enter=0.45,
    medium_leave=0.35,
    high_enter=0.75,
    high_leave=0.65,
    confirm_days=2,
    unsure_band=0.0,
    unsure_days=2,
)
UNSURE = dataclasses.replace(PLAIN, unsure_band=0.1, unsure_days=4)
probabilities = st.floats(0.0, 1.0, allow_nan=False)
courses = st.lists(probabilities, max_size=40)


@st.composite
def level_settings(draw: st.DrawFn) -> LevelSettings:
    bounds = draw(st.lists(st.floats(0.01, 1.0), min_size=4, max_size=4, unique=True))
    medium_leave, medium_enter, high_leave, high_enter = sorted(bounds)
    days = draw(st.integers(1, 5))
    band, more = draw(st.sampled_from([0.0, 0.05, 0.3])), draw(st.integers(0, 4))
    return LevelSettings(medium_enter, medium_leave, high_enter, high_leave, days, band, days + more)


def course_of_levels(course: list[float], settings: LevelSettings) -> list[int]:
    """The level after each estimate of one enrolment."""
    levels = Levels.low(1)
    found = []
    for probability in course:
        update_levels(levels, np.array([probability]), settings)
        found.append(int(levels.level[0]))
    return found


def beyond(probability: float, before: int, after: int, settings: LevelSettings) -> bool:
    """Whether an estimate made at level ``before`` speaks for a change at least as far as ``after``."""
    if after > before:
        return probability >= (settings.medium_enter if after == MEDIUM else settings.high_enter)
    return probability < (settings.medium_leave if after == LOW else settings.high_leave)


@given(courses, level_settings())
def test_a_change_needs_successive_estimates_beyond_its_bound(
    course: list[float], settings: LevelSettings
) -> None:
    track = [LOW, *course_of_levels(course, settings)]
    for day, (before, after) in enumerate(itertools.pairwise(track)):
        if before != after:
            first = day - settings.confirm_days + 1
            assert first >= 0
            assert track[first : day + 1] == [before] * settings.confirm_days
            assert all(beyond(p, before, after, settings) for p in course[first : day + 1])


@given(level_settings(), probabilities, st.integers(1, 3))
def test_a_lasting_probability_is_confirmed_in_time(
    settings: LevelSettings, probability: float, more: int
) -> None:
    expected = int(probability >= settings.medium_enter) + int(probability >= settings.high_enter)
    steps = 2 * settings.unsure_days
    assert course_of_levels([probability] * (steps + more), settings)[steps - 1 :] == [expected] * (more + 1)
    clear = min(abs(probability - settings.medium_enter), abs(probability - settings.high_enter))
    if clear > settings.unsure_band:
        days = settings.confirm_days
        assert course_of_levels([probability] * days, settings) == [LOW] * (days - 1) + [expected]


@given(level_settings(), st.data(), st.sampled_from([LOW, MEDIUM, HIGH]))
def test_oscillation_inside_the_band_changes_nothing(
    settings: LevelSettings, data: st.DataObject, start: int
) -> None:
    low = (0.0, settings.medium_leave, settings.high_leave)[start]
    high = (settings.medium_enter, settings.high_enter, 1.0)[start]
    within = st.floats(low, high, exclude_max=start != HIGH)
    levels = Levels(*(np.full(1, value, np.uint8) for value in (start, start, 0)))
    for probability in data.draw(st.lists(within, max_size=30)):
        assert not update_levels(levels, np.array([probability]), settings).any()
        assert (levels.level[0], levels.candidate[0], levels.streak[0]) == (start, start, 0)


@given(st.lists(st.lists(probabilities, min_size=12, max_size=12), min_size=1, max_size=6), level_settings())
def test_enrolments_do_not_touch_each_other(crowd: list[list[float]], settings: LevelSettings) -> None:
    together = Levels.low(len(crowd))
    seen = []
    for day in np.array(crowd).T:
        update_levels(together, day, settings)
        seen.append(together.level.tolist())
    assert np.array(seen).T.tolist() == [course_of_levels(one, settings) for one in crowd]


def test_rows_name_the_enrolments_estimated() -> None:
    levels = Levels.low(4)
    rows = np.array([3, 1])
    assert update_levels(levels, np.array([0.9, 0.1]), PLAIN, rows).tolist() == [False, False]
    assert update_levels(levels, np.array([0.9, 0.1]), PLAIN, rows).tolist() == [True, False]
    assert levels.level.tolist() == [LOW, LOW, LOW, HIGH]


@pytest.mark.parametrize(
    ("course", "expected"),
    [
        ([0.8, 0.8], [LOW, HIGH]),
        ([0.5, 0.8], [LOW, MEDIUM]),
        ([0.8, 0.5, 0.8, 0.5], [LOW, MEDIUM, MEDIUM, MEDIUM]),
        ([0.8, 0.4, 0.8, 0.4], [LOW, LOW, LOW, LOW]),
        ([0.8, 0.8, 0.7, 0.66, 0.7], [LOW, HIGH, HIGH, HIGH, HIGH]),
        ([0.8, 0.8, 0.6, 0.1], [LOW, HIGH, HIGH, MEDIUM]),
        ([0.8, 0.8, 0.1, 0.1], [LOW, HIGH, HIGH, LOW]),
        ([0.8, 0.1, 0.8, 0.8], [LOW, LOW, LOW, HIGH]),
    ],
)
def test_by_example(course: list[float], expected: list[int]) -> None:
    assert course_of_levels(course, PLAIN) == expected


@pytest.mark.parametrize(
    ("course", "expected"),
    [
        ([0.5] * 4, [LOW, LOW, LOW, MEDIUM]),  # near the bound: four in a row
        ([0.5, 0.6], [LOW, MEDIUM]),  # a clear one confirms those before it
        ([0.6, 0.5, 0.5], [LOW, LOW, LOW]),  # and not those after it
        ([0.5, 0.5, 0.5, 0.4, 0.5], [LOW] * 5),
        ([0.8, 0.8, 0.8, 0.8, 0.8, 0.8], [LOW, MEDIUM, MEDIUM, MEDIUM, MEDIUM, HIGH]),  # clearly medium first
        ([0.9, 0.9, 0.6, 0.6, 0.6, 0.6], [LOW, HIGH, HIGH, HIGH, HIGH, MEDIUM]),
        ([0.9, 0.9, 0.3, 0.3, 0.3, 0.3], [LOW, HIGH, HIGH, MEDIUM, MEDIUM, MEDIUM]),
        ([0.9, 0.9, 0.1, 0.1], [LOW, HIGH, HIGH, LOW]),
    ],
)
def test_a_change_near_its_bound_waits_for_confirmation(course: list[float], expected: list[int]) -> None:
    assert course_of_levels(course, UNSURE) == expected


def test_the_example_of_the_concepts_page() -> None:
    """Ann's days in docs/concepts.md, under the defaults."""
    course = [0.31, 0.53, 0.48, 0.52, 0.57, 0.46, 0.90, 0.92]
    assert course_of_levels(course, LevelSettings()) == [LOW] * 4 + [MEDIUM] * 3 + [HIGH]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"medium_leave": 0.45}, "medium_leave is 0.45; expected less than medium_enter, which is 0.45"),
        ({"high_leave": 0.8}, "high_leave is 0.8; expected less than high_enter, which is 0.75"),
        ({"medium_enter": 0.7}, "medium_enter is 0.7; expected at most high_leave, which is 0.65"),
        ({"high_enter": 1.2}, "high_enter is 1.2; expected at most 1"),
        ({"medium_leave": 0.0}, "medium_leave is 0.0; expected more than 0"),
        ({"medium_leave": float("nan")}, "medium_leave is nan"),
        ({"confirm_days": 0}, "confirm_days is 0; expected 1 to 28"),
        ({"unsure_days": 1}, "unsure_days is 1; expected 2, which is confirm_days, to 28"),
        ({"unsure_band": -0.1}, "unsure_band is -0.1; expected 0 or more"),
    ],
)
def test_settings_that_make_no_sense_are_refused(change: dict[str, float], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        dataclasses.replace(PLAIN, **change)  # type: ignore[arg-type]


@pytest.mark.parametrize("wrong", [float("nan"), -0.1, 1.1])
def test_a_probability_that_is_none_is_refused_untouched(wrong: float) -> None:
    levels = Levels.low(2)
    with pytest.raises(ValueError, match=r"probability\[1\] is"):
        update_levels(levels, np.array([0.9, wrong]), PLAIN)
    assert levels.streak.tolist() == [0, 0]


def test_numbers_and_names_are_in_step() -> None:
    assert tuple(level_name(level) for level in (LOW, MEDIUM, HIGH)) == RISK_LEVELS


@given(courses, courses, level_settings())
def test_nothing_rises_while_rising_is_held_and_a_rise_begins_anew_after_it(
    before: list[float], during: list[float], settings: LevelSettings
) -> None:
    levels = Levels.low(1)
    for probability in before:
        update_levels(levels, np.array([probability]), settings)
    for probability in during:
        level = int(levels.level[0])
        update_levels(levels, np.array([probability]), settings, rising=False)
        assert int(levels.level[0]) <= level
        assert int(levels.candidate[0]) <= int(levels.level[0])
    level = int(levels.level[0])
    for _ in range(settings.confirm_days - 1 if during else 0):
        update_levels(levels, np.array([1.0]), settings)
        assert int(levels.level[0]) == level


def test_falls_go_on_while_rising_is_held() -> None:
    levels = Levels(*(np.full(1, value, np.uint8) for value in (HIGH, HIGH, 0)))
    for _ in range(PLAIN.confirm_days):
        changed = update_levels(levels, np.array([0.1]), PLAIN, rising=False)
    assert changed.all()
    assert levels.level[0] == LOW


@given(probabilities, probabilities, st.sampled_from([LOW, MEDIUM, HIGH]), level_settings())
def test_a_range_moves_a_level_only_where_both_its_ends_would(
    one: float, other: float, level: int, settings: LevelSettings
) -> None:
    least, most = np.array([min(one, other)]), np.array([max(one, other)])
    held = np.array([level], np.uint8)
    found = least_moving(held, least, most, settings)
    assert least <= found <= most
    ends = [bool(speaks_for_change(held, end, settings)[0]) for end in (least, most)]
    assert not speaks_for_change(held, found, settings)[0] or all(ends)


def test_a_range_moves_a_level_no_farther_than_its_nearer_end() -> None:
    low, high = np.array([LOW], np.uint8), np.array([HIGH], np.uint8)
    assert least_moving(low, np.array([0.5]), np.array([0.9]), PLAIN).tolist() == [0.5]
    assert least_moving(high, np.array([0.1]), np.array([0.5]), PLAIN).tolist() == [0.5]
    assert not speaks_for_change(low, least_moving(low, np.array([0.2]), np.array([0.9]), PLAIN), PLAIN)[0]
