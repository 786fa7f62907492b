"""The forms in which ``homeroom query`` writes an answer."""

import csv
import json
from datetime import UTC, date, datetime

import pytest

from cli.result_formats import FormatError, format_of
from sinks.statements import output_format
from sinks.store import Result

ANSWER = Result(
    ("name", "n"),
    ("String", "Float64"),
    [('a "b", c\nd\te', 1.5), ("[x]", float("nan")), (None, True), (["x", "y"], date(2026, 2, 3))],
)


def written(sql: str) -> list[str]:
    form = format_of(sql)
    assert form is not None
    return list(form(ANSWER))


@pytest.mark.parametrize(
    ("sql", "name"),
    [
        ("SELECT 1", None),
        ("SELECT 1 FORMAT CSV", "CSV"),
        ("select 1 format CSV ;\n", "CSV"),
        ("SELECT 1 FORMAT CSV SETTINGS max_threads = 1", "CSV"),
        ("SELECT 1 FORMAT CSV -- FORMAT TSV", "CSV"),
        ("SELECT 1 -- FORMAT CSV", None),
        ("SELECT 'FORMAT CSV'", None),
        ("SELECT 1 AS format", None),
        ("SELECT `FORMAT` FROM t /* FORMAT CSV */", None),
    ],
)
def test_the_form_that_a_query_asks_for_is_found(sql: str, name: str | None) -> None:
    assert output_format(sql) == name
    assert (format_of(sql) is None) == (name is None)


def test_csv_can_be_read_back() -> None:
    text = "\n".join(written("SELECT 1 FORMAT CSVWithNames"))
    rows = list(csv.reader(text.splitlines(keepends=True)))
    assert rows[:3] == [["name", "n"], ['a "b", c\nd\te', "1.5"], ["[x]", "nan"]]
    assert rows[3] == ["\\N", "true"]
    assert "\n".join(written("SELECT 1 FORMAT CSV")) == text.partition("\n")[2]


def test_tsv_is_one_line_a_row() -> None:
    assert written("SELECT 1 FORMAT TSV")[0] == 'a "b", c\\nd\\te\t1.5'
    assert written("SELECT 1 FORMAT TabSeparatedWithNames")[0] == "name\tn"


def test_json_lines_are_json() -> None:
    def strict(word: str) -> None:
        raise AssertionError(f"{word} is no JSON")

    lines = [json.loads(line, parse_constant=strict) for line in written("SELECT 1 FORMAT JSONEachRow")]
    assert lines[1] == {"name": "[x]", "n": None}
    assert lines[3] == {"name": ["x", "y"], "n": "2026-02-03"}
    odd = Result(("at", "m"), ("", ""), [(datetime(2026, 2, 3, tzinfo=UTC), {1: float("inf")})])
    form = format_of("SELECT 1", as_json=True)
    assert form is not None
    assert json.loads(next(form(odd))) == {"at": "2026-02-03 00:00:00+00:00", "m": {"1": None}}


def test_a_form_that_is_not_written_is_refused_with_those_that_are() -> None:
    with pytest.raises(FormatError, match=r"FORMAT Parquet: expected one of CSV, .*Pretty"):
        format_of("SELECT 1 FORMAT Parquet")
    with pytest.raises(FormatError, match="FORMAT CSV and --json: expected one of them"):
        format_of("SELECT 1 FORMAT CSV", as_json=True)
    assert format_of("SELECT 1 FORMAT Pretty") is None
