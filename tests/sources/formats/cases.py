"""Reads the cases of ``examples/formats/``: records of a format, and what becomes of them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

FOLDER = Path(__file__).parents[3] / "examples" / "formats"


@dataclass(frozen=True)
class Case:
    """A record and its translation.

    record: the value as a text. headers: of the record. platform, vocabulary: options of the adapter.
    messages: whole, in order. refused: reason and field, in order. names: the fate of each name.
    """

    title: str
    record: str
    headers: Mapping[str, str] = field(default_factory=dict)
    platform: str | None = None
    vocabulary: Mapping[str, str] = field(default_factory=dict)
    messages: Sequence[Mapping[str, Any]] = ()
    refused: Sequence[Mapping[str, str]] = ()
    names: Mapping[str, str] | None = None
    show: bool = False


def cases_of(name: str) -> list[Case]:
    """The cases of a format; none where it has no file."""
    file = FOLDER / f"{name}.yaml"
    if not file.exists():
        return []
    return [Case(**case) for case in yaml.safe_load(file.read_text(encoding="utf-8"))["cases"]]
