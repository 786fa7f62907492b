"""The page of tables is written from what the commands saved."""

import json
from pathlib import Path

import pytest

from evaluation import document

GROUP = {
    "group": "F", "reference": False, "enrolments": 400, "lost": 0.5, "auc": 0.8, "auc_low": 0.7,
    "auc_high": 0.9, "true_positive_rate": 0.6, "gap": -0.1, "gap_low": -0.2, "gap_high": -0.01,
    "abroca": 0.05, "abroca_by_chance": 0.04, "differs": True,
}  # fmt: skip
CUT = {
    "presentation": "2014B",
    "day": 60,
    "estimates": 123_456,
    "changes": 7,
    "differing": [],
    "differing_changes": 0,
}


def test_there_is_a_section_for_each_file(tmp_path: Path) -> None:
    audit = {"attributes": [{"attribute": "gender", "groups": [GROUP], "left_out": {"X": 3}}]}
    (tmp_path / "fairness.json").write_text(json.dumps(audit), encoding="utf-8")
    (tmp_path / "causality.json").write_text(json.dumps([CUT]), encoding="utf-8")
    text = document.document(tmp_path)
    assert "| gender | F | 400 | .500 | .800 (.700–.900) | .600 | -0.100 (-0.200 to -0.010) |" in text
    assert "| gender | X: too few | 3 | – |" in text
    assert "    homeroom causality --oulad DIR --test 2014B --day 60 --json causality.json" in text
    assert "| 60 | 123,456 | 7 | 0 | 0 |" in text
    assert "new-course" not in text


def test_another_argument_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert document.main(["nowhere"]) == 2
    assert "takes the folder of the JSON files" in capsys.readouterr().err
