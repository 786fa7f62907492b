"""Write the table of features to ``docs/features.md``: ``python -m cli.feature_table``.

With ``--check`` nothing is written; the exit code says whether the file is up to date.
"""

import sys
from pathlib import Path

from features.catalogue import BINS, FEATURES, FINGERPRINT, Feature, Linear, Log

FILE = Path(__file__).parent.parent / "docs" / "features.md"

HEAD = f"""\
# Features

<!-- Written by `python -m cli.feature_table` from features/catalogue.py. Edit that instead. -->

What the model is told about an enrolment on a day, from events of earlier days only. There are
{len(FEATURES)} features (fingerprint `{FINGERPRINT}`); their order here is their row in every array.

A value is kept as its *bin*, one byte in [0, {BINS}). **Scale** says how a value finds its bin: *log* bins
grow with the value, so many to each doubling, with 0 alone in the first; *linear* bins are equal
over the bounds given, and what lies outside falls into the first or the last. **Ranked** features are
given to the model a second time, as the rank within the cohort: the same course run on the same day.
"""


def scale(feature: Feature) -> str:
    """A feature's scale as the table shows it."""
    match feature.scale:
        case Log(per_octave):
            return f"log, {per_octave:g} a doubling"
        case Linear(low, high):
            return f"linear, {low:g} to {high:g}"


def table(features: tuple[Feature, ...] = FEATURES) -> str:
    """The features as a Markdown table, in the order of their rows in every array."""
    head = ("#", "name", "group", "unit", "scale", "ranked", "meaning")
    rows = [
        (
            str(row),
            f"`{feature.name}`",
            feature.group,
            feature.unit,
            scale(feature),
            "yes" if feature.ranked else "no",
            feature.meaning,
        )
        for row, feature in enumerate(features)
    ]
    return "".join(f"| {' | '.join(cells)} |\n" for cells in (head, ("---",) * len(head), *rows))


def document() -> str:
    """The whole page."""
    return f"{HEAD}\n{table()}"


def main(arguments: list[str]) -> int:
    if arguments not in ([], ["--check"]):
        print(f"cli.feature_table knows --check alone, not {' '.join(arguments)}", file=sys.stderr)
        return 2
    if not arguments:
        FILE.parent.mkdir(exist_ok=True)
        FILE.write_text(document(), encoding="utf-8")
    if not FILE.exists() or FILE.read_text(encoding="utf-8") != document():
        print("docs/features.md is out of date; run python -m cli.feature_table", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
