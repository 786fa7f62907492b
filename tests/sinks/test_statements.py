import pytest

from sinks.errors import RefusedError
from sinks.native import plain_type
from sinks.statements import Insert, as_insert, one_statement, without_format


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT 1; DROP TABLE t",
        "SELECT ';' ; SELECT 2",
        "SELECT 1 -- ;\n; SELECT 2",
        "SELECT 'a\\'; ' ; x",
    ],
)
def test_several_statements_are_refused(sql: str) -> None:
    with pytest.raises(RefusedError) as caught:
        one_statement(sql)
    assert caught.value.code == 62


@pytest.mark.parametrize("sql", ["SELECT ';', \"a;b\", `c;d` /* ; x */ -- ; y", "SELECT 'it''s; fine'"])
def test_a_semicolon_in_a_string_or_comment_is_no_end(sql: str) -> None:
    assert one_statement(sql) == sql
    assert one_statement(sql + "\n;\n") == sql + "\n"


@pytest.mark.parametrize("sql", ["SELECT 1 INTO OUTFILE 'x'", "INSERT INTO t FROM  infile 'x' FORMAT CSV"])
def test_files_of_this_machine_are_refused(sql: str) -> None:
    with pytest.raises(RefusedError) as caught:
        one_statement(sql)
    assert caught.value.code == 358


def test_a_closing_format_is_the_clients_business() -> None:
    assert without_format("SELECT 1 FORMAT JSON ").strip() == "SELECT 1"
    assert without_format("SELECT ' FORMAT JSON'") == "SELECT ' FORMAT JSON'"


def test_an_insert_that_waits_for_blocks() -> None:
    assert as_insert("INSERT INTO db.`t` (a, `b`) VALUES") == Insert(
        "INSERT INTO db.`t` (a, `b`)", "", "SELECT a, `b` FROM db.`t`"
    )
    assert as_insert("insert into t FORMAT Native") == Insert("INSERT INTO t", "", "SELECT * FROM t")
    insert = as_insert("INSERT INTO t SETTINGS max_threads = 1 VALUES")
    assert insert is not None
    assert insert.settings == "max_threads = 1"
    assert "SETTINGS max_threads = 1, " in insert.from_file("/a")


@pytest.mark.parametrize("sql", ["INSERT INTO t VALUES (1)", "INSERT INTO t SELECT 1", "SELECT 1"])
def test_other_statements_wait_for_none(sql: str) -> None:
    assert as_insert(sql) is None


def test_low_cardinality_is_left_out_at_any_depth() -> None:
    assert plain_type("LowCardinality(FixedString(4))") == "FixedString(4)"
    assert plain_type("Map(LowCardinality(String), Array(LowCardinality(Nullable(String))))") == (
        "Map(String, Array(Nullable(String)))"
    )
