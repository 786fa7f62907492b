"""The vocabulary: what the names of platforms' verbs and events mean in the contract's words.

A YAML file for each format in ``sources/formats/vocabulary/``, and one of an installation's own, which comes
first. Each line is ``name: meaning``:

- one of the kinds of an activity (``video``, ``quiz``, …): the event is an activity of that kind;
- a fact's type (``enrolled``, ``graded``, …), or ``submission``: the adapter reads the fact from the event;
- ``ignored``: it is no act of a learner (an impression, a grader, a machine).

A name may end in ``*``; of several that fit, an exact one comes first, then the longest.
"""

from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from schemas.activity import ACTIVITY_KINDS
from schemas.errors import HomeroomError, one_line

FACTS = ("enrolled", "withdrawn", "completed", "graded", "progress", "extension", "pause", "calendar")
IGNORED = "ignored"
MEANINGS = frozenset({*ACTIVITY_KINDS, *FACTS, IGNORED})

FOLDER = Path(__file__).parent / "vocabularies"
_MAX_CACHED = 10_000


class VocabularyError(HomeroomError, ValueError):
    """A vocabulary is not as expected; the message names the file, the name and the meaning."""


class Vocabulary:
    """Meanings by name, of one format."""

    def __init__(self, meanings: Mapping[str, str]) -> None:
        self.meanings = dict(meanings)
        self._prefixes = sorted(
            ((name[:-1], meaning) for name, meaning in meanings.items() if name.endswith("*")),
            key=lambda entry: -len(entry[0]),
        )
        self._cache: dict[str, str | None] = {}
        self._by_key: dict[Hashable, str | None] = {}

    def find(self, *names: str) -> str | None:
        """The meaning of the first of the names that has one; None where none has."""
        for name in names:
            meaning = self.meaning(name)
            if meaning is not None:
                return meaning
        return None

    def find_for(self, key: Hashable, names: Callable[[], Sequence[str]]) -> str | None:
        """As :meth:`find`, kept by a key, so that the names are made once and not for each event.

        names: called for a key that is new.
        """
        known = self._by_key
        if key not in known:
            if len(known) >= _MAX_CACHED:
                known.clear()
            known[key] = self.find(*names())
        return known[key]

    def meaning(self, name: str) -> str | None:
        """The meaning of a name, of ``MEANINGS``; None if it is unknown."""
        cache = self._cache
        if name in cache:
            return cache[name]
        meaning = self.meanings.get(name)
        if meaning is None:
            meaning = next((found for start, found in self._prefixes if name.startswith(start)), None)
        if len(cache) < _MAX_CACHED:
            cache[name] = meaning
        return meaning


def vocabulary_of(format_name: str, own: Mapping[str, str] | None = None) -> Vocabulary:
    """The vocabulary of a format, with an installation's own meanings before ours.

    Raises:
        VocabularyError: a meaning is none.
    """
    return Vocabulary(_ours(format_name) | dict(own or {}))


@cache
def _ours(format_name: str) -> dict[str, str]:
    """The meanings that are shipped, read once: each topic and each file has an adapter of its own."""
    file = FOLDER / f"{format_name}.yaml"
    return read_vocabulary(file) if file.exists() else {}


def read_vocabulary(file: Path) -> dict[str, str]:
    """The meanings in a file of one format.

    Raises:
        VocabularyError: it cannot be read, or a meaning is none.
    """
    try:
        found = yaml.safe_load(file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        reason = one_line(error)
        raise VocabularyError(f"{file}: {reason}; expected lines of name: meaning") from None
    return check_meanings(found, str(file))


def check_meanings(found: Any, where: str) -> dict[str, str]:
    """Meanings by name, checked.

    Raises:
        VocabularyError: a name or a meaning is none.
    """
    if found is None:
        return {}
    if not isinstance(found, dict):
        raise VocabularyError(f"{where}: found {found!r}; expected lines of name: meaning")
    for name, meaning in found.items():
        if not isinstance(name, str) or meaning not in MEANINGS:
            expected = ", ".join(_in_order(MEANINGS))
            raise VocabularyError(f"{where}: {name!r}: found {meaning!r}; expected one of {expected}")
    return found


def _in_order(meanings: Iterable[str]) -> list[str]:
    order = (*ACTIVITY_KINDS, *FACTS, IGNORED)
    return sorted(meanings, key=order.index)
