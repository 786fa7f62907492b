"""Writes results: figures as JSON, a page as HTML."""

import json
from dataclasses import asdict
from math import isnan
from pathlib import Path
from typing import Any

from evaluation.page import Page, render
from output import files


def save(
    results: Any, page: Page | None, report: Path | None, figures: Path | None, *, force: bool = False
) -> None:
    """Write results as JSON to ``figures`` and the page as HTML to ``report``, each if there is a path.

    results: a dataclass, or a dict or list of them.

    Raises:
        OutputError: for a path that must not be written, see :mod:`output.files`.
    """
    if figures is not None:
        text = json.dumps(to_json_value(results), indent=2, allow_nan=False) + "\n"
        files.write_output(figures, text, force=force)
    if page is not None and report is not None:
        files.write_output(report, render(page), force=force)


def to_json_value(value: Any) -> Any:
    """A value that JSON can represent: dataclasses as objects, NaN as null."""
    if hasattr(value, "__dataclass_fields__"):
        return to_json_value(asdict(value))
    if isinstance(value, dict):
        return {name: to_json_value(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [to_json_value(item) for item in value]
    return None if isinstance(value, float) and isnan(value) else value
