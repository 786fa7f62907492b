"""Writing what was found: figures as JSON, a page as HTML."""

import json
from dataclasses import asdict
from math import isnan
from pathlib import Path
from typing import Any

from evaluation.page import Page, render
from output import files


def save(
    found: Any, page: Page | None, report: Path | None, figures: Path | None, *, force: bool = False
) -> None:
    """Write figures (a dataclass, or anything of dataclasses) and a page, each where a path is given.

    Raises ``OutputError`` for a path that must not be written, see :mod:`output.files`.
    """
    if figures is not None:
        text = json.dumps(plain(found), indent=2, allow_nan=False) + "\n"
        files.write_output(figures, text, force=force)
    if page is not None and report is not None:
        files.write_output(report, render(page), force=force)


def plain(value: Any) -> Any:
    """As JSON can hold it: dataclasses as objects, NaN as null."""
    if hasattr(value, "__dataclass_fields__"):
        return plain(asdict(value))
    if isinstance(value, dict):
        return {name: plain(one) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return [plain(one) for one in value]
    return None if isinstance(value, float) and isnan(value) else value
