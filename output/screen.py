"""The console that commands print to with Rich: texts of people and of the store unchanged, and whole.

Strings are never read as markup (``[x]``, ``[/red]``) nor as emoji (``:x:``), and control characters are
shown instead of executed by the terminal. A style is given by a ``Text``. Tables fold what does not fit, and
cut nothing. Everything that commands print goes through ``console``.
"""

import unicodedata
from typing import Any

from rich.console import Console
from rich.table import Column, Table
from rich.text import Text

_ALLOWED = "\n\t"
_CONTROL_CATEGORIES = frozenset({"Cc", "Cs", "Co"})
_BIDI_CONTROLS = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
"""Characters that change the direction of writing, by which a text can look like another one."""


def visible(text: str) -> str:
    """``text`` with control characters as ``\\x1b``, ``\\u202e``; line ends and tabs stay."""
    if text.isprintable():
        return text
    return "".join(_escape(character) if _is_control(character) else character for character in text)


def _is_control(character: str) -> bool:
    return character in _BIDI_CONTROLS or (
        character not in _ALLOWED and unicodedata.category(character) in _CONTROL_CATEGORIES
    )


def _escape(character: str) -> str:
    return character.encode("unicode_escape", "surrogatepass").decode()


class Screen(Console):
    """A console that takes every string as plain text."""

    def __init__(self, **options: Any) -> None:
        super().__init__(markup=False, emoji=False, **options)

    def render_str(self, text: str, **options: Any) -> Text:
        """Convert a string to printable text; Rich does so for cells, titles and lines alike."""
        return super().render_str(visible(text), **options)

    def print(self, *objects: Any, **options: Any) -> None:
        """Print; a single table in its natural width to a file or pipe, folded to the width of a terminal."""
        if len(objects) != 1 or not isinstance(objects[0], Table) or self.is_terminal:
            super().print(*objects, **options)
            return
        previous = self._width  # None where it is the terminal's, which is read each time
        natural = self.measure(objects[0], options=self.options.update(width=100_000)).maximum
        self._width = max(self.width, natural)
        try:
            super().print(*objects, **options)
        finally:
            self._width = previous


def table(*titles: str | Column, **options: Any) -> Table:
    """A table whose cells fold, where Rich's own would end in an ellipsis."""
    columns = (Column(title, overflow="fold") if isinstance(title, str) else title for title in titles)
    return Table(*columns, **options)


def styled(style: str, text: str, rest: str = "") -> Text:
    """``text`` in a style, and ``rest`` without."""
    return Text.assemble((visible(text), style), visible(rest))


console = Screen()
"""Standard output."""
