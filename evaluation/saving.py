"""Writing what was found: figures as JSON, a page as HTML."""

import json
from dataclasses import asdict
from math import isnan
from pathlib import Path
from typing import Any

from evaluation.page import Page, render


def save(found: Any, page: Page | None, report: Path | None, figures: Path | None) -> None:
    """Write figures (a dataclass, or anything of dataclasses) and a page, each where a path is given."""
    if figures is not None:
        _write(figures, json.dumps(plain(found), indent=2, allow_nan=False) + "\n")
    if page is not None and report is not None:
        _write(report, render(page))


def plain(value: Any) -> Any:
    """As JSON can hold it: dataclasses as objects, NaN as null."""
    if hasattr(value, "__dataclass_fields__"):
        return plain(asdict(value))
    if isinstance(value, dict):
        return {name: plain(one) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return [plain(one) for one in value]
    return None if isinstance(value, float) and isnan(value) else value


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
