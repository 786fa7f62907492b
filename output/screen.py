"""What commands print with Rich: words of people and of the store exactly as they are, and whole.

Strings are never read as markup (``[x]``, ``[/red]``) nor as emoji (``:x:``), and what a terminal would take
for an order is shown instead of obeyed. Where a style is wanted, a ``Text`` says so. Tables fold what does
not fit, and cut nothing. Everything that commands print goes through ``console``.
"""

import unicodedata
from typing import Any

from rich.console import Console
from rich.table import Column, Table
from rich.text import Text

_KEPT = "\n\t"
_ODD = frozenset({"Cc", "Cs", "Co"})
_TURNING = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
"""Signs that turn the direction of writing, so that what is seen is not what is there."""


def visible(text: str) -> str:
    """``text`` with control characters as ``\\x1b``, ``\\u202e``; line ends and tabs stay."""
    if text.isprintable():
        return text
    return "".join(_escaped(sign) if _is_odd(sign) else sign for sign in text)


def _is_odd(sign: str) -> bool:
    return sign in _TURNING or (sign not in _KEPT and unicodedata.category(sign) in _ODD)


def _escaped(sign: str) -> str:
    return sign.encode("unicode_escape", "surrogatepass").decode()


class Screen(Console):
    """A console that takes every string as plain text."""

    def __init__(self, **options: Any) -> None:
        super().__init__(markup=False, emoji=False, **options)

    def render_str(self, text: str, **options: Any) -> Text:
        """Rich's one way from a string to what is printed: of cells, titles and lines alike."""
        return super().render_str(visible(text), **options)

    def print(self, *objects: Any, **options: Any) -> None:
        """Print; a table alone in its own width into a file or a pipe, folded to fit on a terminal."""
        if len(objects) != 1 or not isinstance(objects[0], Table) or self.is_terminal:
            super().print(*objects, **options)
            return
        given = self._width  # none where it is the terminal's: it is asked for anew each time
        wanted = self.measure(objects[0], options=self.options.update(width=100_000)).maximum
        self._width = max(self.width, wanted)
        try:
            super().print(*objects, **options)
        finally:
            self._width = given


def table(*titles: str | Column, **options: Any) -> Table:
    """A table whose cells fold, where Rich's own would end in an ellipsis."""
    columns = (Column(one, overflow="fold") if isinstance(one, str) else one for one in titles)
    return Table(*columns, **options)


def styled(style: str, words: str, rest: str = "") -> Text:
    """``words`` in a style, and the rest without."""
    return Text.assemble((visible(words), style), visible(rest))


console = Screen()
"""Standard output."""
