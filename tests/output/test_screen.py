"""What commands print is what is there: no markup, no emoji, no orders to the terminal, nothing cut."""

import ast
import io
import unicodedata
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.table import Column

from output.screen import Screen, styled, table, visible
from tests.test_imports import PACKAGES

ROOT = Path(__file__).parents[2]


def printed(*what: object, width: int = 80) -> str:
    output = io.StringIO()
    Screen(file=output, width=width).print(*what, soft_wrap=True)
    return output.getvalue().rstrip("\n")


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("[x]", "[x]"),
        ("[/red]", "[/red]"),
        ("[bold]a[/bold]", "[bold]a[/bold]"),
        (":x: :smile:", ":x: :smile:"),
        ("\\[x]", "\\[x]"),
        ("a\x1b[2Jb", "a\\x1b[2Jb"),
        ("\x1b]0;title\x07", "\\x1b]0;title\\x07"),
        ("abc\u202ecba", "abc\\u202ecba"),
        ("\udcff", "\\udcff"),
        ("größer →", "größer →"),
    ],
)
def test_a_text_is_shown_as_it_is(text: str, shown: str) -> None:
    assert visible(text) == shown
    assert printed(text) == shown
    assert printed(styled("bold", text)) == shown
    one = table("name")
    one.add_row(text)
    assert shown in printed(one, width=200)
    assert shown in printed(table(Column(text), "b"), width=200)


TEXTS = st.text(st.characters(), max_size=40) | st.from_regex(
    r"\[/?[a-z#@]{0,6}[ =(]?[\w'\"]*\]?", fullmatch=True
)


@settings(max_examples=200, deadline=None)
@given(TEXTS)
def test_no_text_is_an_error_or_an_order(text: str) -> None:
    output = printed(text)
    assert not {unicodedata.category(sign) for sign in output.replace("\n", "").replace("\t", "")} & {
        "Cc",
        "Cs",
    }
    assert [*"".join(output.split())] == [*"".join(visible(text).expandtabs().split())]


@pytest.mark.parametrize(("width", "is_terminal"), [(80, False), (80, True), (40, True)])
def test_a_table_cuts_nothing(width: int, is_terminal: bool) -> None:
    output = io.StringIO()
    screen = Screen(file=output, width=width, force_terminal=is_terminal, no_color=True)
    wide = table("first", "second", "third")
    values = ["a" * 60, "b" * 90, "c" * 70]
    wide.add_row(*values)
    screen.print(wide)
    text = output.getvalue()
    assert "…" not in text
    assert [text.count(sign) for sign in "ab"] == [60, 90]
    assert all(value in text for value in values) != is_terminal, "one line into a pipe, folded on a terminal"
    assert screen.width == width


def _calls(path: Path) -> list[str]:
    calls = []
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call) and ast.unparse(node.func) in (
            "Console",
            "rich.print",
            "Text.from_markup",
        ):
            calls.append(f"{node.lineno}: {ast.unparse(node)}")
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and "[bold]" in node.value:
            calls.append(f"{node.lineno}: {node.value[:40]!r}")
    return calls


def test_every_command_prints_through_the_one_console() -> None:
    found = {
        path.relative_to(ROOT).as_posix(): calls
        for package in PACKAGES
        for path in (ROOT / package).rglob("*.py")
        if (calls := _calls(path))
    }
    assert found == {"evaluation/new_course.py": found.get("evaluation/new_course.py", [])}, (
        "made to be silent"
    )
