"""The audit finds a difference where there is one, and demographics are nowhere else."""

import ast
import io
import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from rich.console import Console

from evaluation import fairness_report
from evaluation.demographics import ATTRIBUTES, demographics
from evaluation.errors import EstimatesError
from evaluation.fairness import MIN_ENROLMENTS, Audit, audit, differing_groups, show
from evaluation.outcomes import read_outcomes
from evaluation.page import render
from evaluation.saving import save
from features.catalogue import NAMES
from schemas import topics
from sources.oulad import OuladFolder
from sources.oulad_tables import OuladError
from tests.evaluation.folders import tables, write
from tests.test_imports import PACKAGES

ROOT = Path(__file__).parents[2]
PERSONAL = (*ATTRIBUTES, "highest_education")
COLUMNS = ("code_module", "code_presentation", "id_student")


def estimates(folder: Path, out: Path, blind: str = "") -> Path:
    """Estimates and alerts that know who is lost three times in four; of the gender ``blind``, nothing."""
    rng = np.random.default_rng(5)
    outcomes = read_outcomes(folder, ["2013J", "2014B"])
    gender = demographics(folder, outcomes)["gender"]
    right = rng.random(len(outcomes)) < 0.85
    estimated_lost = np.where(gender == blind, rng.random(len(outcomes)) < 0.5, outcomes.lost == right)
    rows = []
    for row in range(len(outcomes)):
        run = (str(outcomes.module[row]), str(outcomes.presentation[row]), int(outcomes.student[row]))
        for day in range(7, 50, 7):
            risk = float(np.clip(0.3 + 0.4 * estimated_lost[row] + rng.normal(0, 0.1), 0, 1))
            rows.append(
                dict(zip(COLUMNS, run, strict=True)) | {"day": day, "risk": risk, "alert": int(risk > 0.6)}
            )

    pq.write_table(pa.Table.from_pylist(rows), out)
    return out


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write(tmp_path_factory.mktemp("oulad"))


def test_groups_that_do_not_differ_do_not_seem_to(folder: Path, tmp_path: Path) -> None:
    result = audit(folder, estimates(folder, tmp_path / "e.parquet"))
    assert [attribute.attribute for attribute in result.attributes] == list(ATTRIBUTES.values())
    for attribute in result.attributes:
        first, *others = attribute.groups
        assert first.reference
        assert first.enrolments == max(group.enrolments for group in attribute.groups)
        for group in attribute.groups:
            assert group.auc_low < group.auc < group.auc_high
        for group in others:
            assert group.abroca > 0
    assert len(differing_groups(result)) <= 2, "of twelve, by chance"


def test_a_group_that_is_not_understood_is_found(folder: Path, tmp_path: Path) -> None:
    result = audit(folder, estimates(folder, tmp_path / "e.parquet", blind="F"))
    gender = {group.group: group for group in result.attributes[0].groups}
    assert gender["M"].auc > 0.8
    assert gender["F"].auc < 0.6
    (other,) = (group for group in gender.values() if not group.reference)
    assert other.differs
    assert other.abroca > 3 * other.abroca_by_chance
    assert ("gender", other) in differing_groups(result)
    bands = {group.group: group.enrolments for group in result.attributes[4].groups}
    assert set(bands) == {"0-10%", "10-20%", "not stated"}
    assert sum(bands.values()) == result.enrolments


def test_small_groups_are_left_out_and_it_is_said(tmp_path: Path) -> None:
    info = [dict(row) for row in tables()["studentInfo"]]
    for row in info:
        row["age_band"] = "55<=" if row["id_student"] % 1000 < 5 else "0-35"
    folder = write(tmp_path / "oulad", {"studentInfo": info})
    result = audit(folder, estimates(folder, tmp_path / "e.parquet"))
    age = result.attributes[1]
    assert age.left_out == {"55<=": 20}
    assert [group.group for group in age.groups] == ["0-35"]
    output = io.StringIO()
    show(result, Console(file=output, width=200))
    assert f"55<=: left out, 20 enrolments; expected {MIN_ENROLMENTS} lost" in output.getvalue()
    assert "55&lt;= (age band, 20)" in render(fairness_report.page(result))


def test_the_audit_is_shown_and_saved(folder: Path, tmp_path: Path) -> None:
    result = audit(folder, estimates(folder, tmp_path / "e.parquet", blind="F"))
    output = io.StringIO()
    show(result, Console(file=output, width=80))
    assert "…" not in output.getvalue(), "it fits a terminal"
    starred = [line.split()[0] for line in output.getvalue().splitlines() if line.rstrip().endswith("*")]
    assert starred == [group.group.split()[0] for _, group in differing_groups(result)]
    save(result, fairness_report.page(result), tmp_path / "f.html", tmp_path / "f.json")
    assert json.loads((tmp_path / "f.json").read_text(encoding="utf-8"))["enrolments"] == result.enrolments
    html = (tmp_path / "f.html").read_text(encoding="utf-8")
    assert html.count("<svg") == 2 * len(ATTRIBUTES)
    assert "F (gender)" in html or "M (gender)" in html


def test_without_alerts_ranking_alone_is_told(folder: Path, tmp_path: Path) -> None:
    path = estimates(folder, tmp_path / "e.parquet")
    pq.write_table(pq.read_table(path).drop_columns(["alert"]), path)
    result: Audit = audit(folder, path)
    assert render(fairness_report.page(result)).count("<svg") == len(ATTRIBUTES)


def test_what_cannot_be_audited_is_said(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(EstimatesError, match="no such file; expected a table that homeroom evaluate wrote"):
        audit(folder, tmp_path / "none.parquet")
    (tmp_path / "e.csv").write_text("a,b\n1,2\n", encoding="utf-8")
    with pytest.raises(EstimatesError, match="no estimates of any presentation"):
        audit(folder, tmp_path / "e.csv")
    plain = [{name: row[name] for name in (*COLUMNS, "final_result")} for row in tables()["studentInfo"]]
    bare = write(tmp_path / "bare", {"studentInfo": plain})
    with pytest.raises(OuladError, match="studentInfo: column gender is missing"):
        audit(bare, estimates(folder, tmp_path / "e.parquet"))


def test_demographics_change_nothing_that_is_streamed(folder: Path, tmp_path: Path) -> None:
    """Everybody becomes somebody else, or nothing is said of them: the same messages, byte for byte."""
    other = [dict(row) | dict.fromkeys(PERSONAL, "other") for row in tables()["studentInfo"]]
    plain = [{name: row[name] for name in (*COLUMNS, "final_result")} for row in tables()["studentInfo"]]
    streamed = list(OuladFolder(folder).stream())
    assert len(streamed) > 5000
    for number, info in enumerate((other, plain)):
        changed = write(tmp_path / str(number), {"studentInfo": info})
        assert list(OuladFolder(changed).stream()) == streamed


def test_no_message_and_no_feature_has_a_place_for_demographics() -> None:
    words = {"gender", "sex", "age", "region", "disability", "imd", "deprivation", "education", "ethnicity"}
    fields = {
        name
        for path in (ROOT / "schemas" / "json").glob("*.json")
        for name in _names(json.loads(path.read_text(encoding="utf-8")))
    }
    assert {"learner", "course_run", "probability"} <= fields, "looking in the wrong place"
    assert not {name for name in fields | set(NAMES) if words & set(name.split("_"))}
    assert topics.EVENTS.name


def test_only_the_audit_reads_them() -> None:
    readers = set()
    for package in PACKAGES:
        for path in (ROOT / package).rglob("*.py"):
            tree = ast.parse(path.read_text(encoding="utf-8"))
            texts = {node.value for node in ast.walk(tree) if isinstance(node, ast.Constant)}
            if texts & {"gender", "age_band", "imd_band", "disability", "highest_education"}:
                readers.add(f"{package}/{path.name}")
            if any(
                isinstance(node, ast.ImportFrom) and node.module == "evaluation.demographics"
                for node in ast.walk(tree)
            ):
                readers.add(f"{package}/{path.name}")
    assert readers == {"evaluation/demographics.py", "evaluation/fairness.py"}


def _names(schema: object) -> set[str]:
    """Every property's name in a JSON schema."""
    if isinstance(schema, list):
        return {name for value in schema for name in _names(value)}
    if not isinstance(schema, dict):
        return set()
    own = set(schema["properties"]) if isinstance(schema.get("properties"), dict) else set()
    return own | {name for value in schema.values() for name in _names(value)}
