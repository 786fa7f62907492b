"""Days of a policy that are none: numbers are not taken for seconds since 1970."""

import pytest

from nudges.policy_file import PolicyError, parse_policy


@pytest.mark.parametrize(
    "day", ["2026-02-30", "86400", "1395100800", "20260201", "2026-02-01T00:00:00", "tomorrow"]
)
def test_a_day_that_is_none_is_refused(day: str) -> None:
    with pytest.raises(PolicyError, match="line 2, column 17: effective_from"):
        parse_policy(f"name: mine\neffective_from: {day}\n")


def test_a_day_is_read() -> None:
    assert str(parse_policy("name: mine\neffective_from: 2024-02-29\n").effective_from) == "2024-02-29"
