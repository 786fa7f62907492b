"""Policy files as a worker reads them: in force by event day, read again, and a mistake changes nothing."""

import logging
import os
from datetime import date
from pathlib import Path

import pytest

from nudges.policy import Policy
from streams.policy_files import Policies, PolicyFileError, in_force, read_policies

DAY = 20_000
SINCE = date(2024, 10, 4)
"""The date of that day."""


def write(path: Path, text: str, age: int = 0) -> Path:
    path.write_text(text, encoding="utf-8")
    os.utime(path, ns=(10**18 + age, 10**18 + age))
    return path


def names(policies: Policies, *days: int) -> list[str | None]:
    return [None if (policy := policies.in_force_on(day)) is None else policy.name for day in days]


def test_each_day_has_the_newest_policy_that_has_come(tmp_path: Path) -> None:
    write(tmp_path / "a.yaml", f"name: late\neffective_from: {SINCE}")
    write(tmp_path / "b.yml", "name: early\neffective_from: 2020-01-01")
    write(tmp_path / "notes.txt", "no policy")
    policies = Policies(tmp_path)
    assert names(policies, 0, DAY - 1, DAY, DAY + 400) == [None, "early", "late", "late"]
    assert in_force([], DAY) is None
    assert in_force([Policy()], 0) == Policy()


def test_a_changed_file_is_read_again_and_a_wrong_one_changes_nothing(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    file = write(tmp_path / "policy.yaml", "name: one")
    policies = Policies(file)
    assert names(policies, DAY) == ["one"]
    write(file, "name: two", age=1)
    assert names(policies, DAY) == ["two"]
    write(file, "name: two\ncaps: [{most: 0, days: 7}]", age=2)
    assert names(policies, DAY, DAY + 1) == ["two", "two"]
    (message,) = [record.message for record in caplog.records if record.levelno == logging.ERROR]
    assert "policy.yaml: line 2, column 15: caps[0].most: found '0'" in message
    file.unlink()
    assert names(policies, DAY) == ["two"]


@pytest.mark.parametrize(
    ("files", "named", "message"),
    [
        ({}, "none.yaml", "none.yaml: cannot be read"),
        ({}, "", "holds no policy; expected a file that ends with .yaml"),
        ({"a.yaml": "name: a", "b.yaml": "name: b"}, "", "are both in force from the beginning"),
        ({"a.yaml": "name: a", "b.yaml": "naem: b"}, "", r"b.yaml: line 1, column 1: naem: is no setting"),
    ],
)
def test_what_cannot_be_read_is_told(tmp_path: Path, files: dict[str, str], named: str, message: str) -> None:
    for name, text in files.items():
        write(tmp_path / name, text)
    with pytest.raises(PolicyFileError, match=message):
        read_policies(tmp_path / named)
    with pytest.raises(PolicyFileError, match=message):
        Policies(tmp_path / named)
