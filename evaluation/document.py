"""Write ``docs/evaluation-tables.md`` from the figures of a folder: ``python -m evaluation.document FOLDER``.

The folder holds what the commands wrote with ``--json``: evaluate.json, new-course.json, fairness.json and
causality.json; ``make tables OULAD=DIR`` runs them all. Every table stands below its command.
"""

import json
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from evaluation.page import number

FILE = Path(__file__).parent.parent / "docs" / "evaluation-tables.md"

HEAD = """\
# Tables of the evaluation

<!-- Written by `make tables OULAD=DIR`. Run that instead of editing. -->

What each figure means is said in [Evaluation](evaluation.md). DIR is a folder of the OULAD tables with the
presentations 2013B, 2013J and 2014B.
"""

Found = Any
"""Parsed JSON."""


def evaluated(found: Found) -> str:
    """What the estimates are worth, beside other methods, and module by module."""
    ours, codes = found["homeroom"], " ".join(f"--test {code}" for code in found["presentations"])
    everybody = {"**homeroom**": ours, **found["baselines"]}
    rows = [_contestant(name, one) for name, one in everybody.items()]
    text = _section(
        f"Estimates of {', '.join(found['presentations'])}",
        f"homeroom evaluate --oulad DIR {codes} --out F --report H --json evaluate.json --baselines",
        [
            "",
            "AUC",
            "AUC, active",
            "ECE",
            "recall, lead 14, at .85",
            "… actionable",
            "recall 14–42",
            "PPV 0–42",
        ],
        rows,
        "Batch models learned once from all outcomes of all earlier presentations. Recall at a precision "
        "of .85: the threshold is picked on what is judged, for all alike. By chance, recall 14–42 is "
        f"{number(ours['budgeted_random']['recall_14_42'])} and PPV "
        f"{number(ours['budgeted_random']['ppv_0_42'])}.",
    )
    return text + _raised(ours) + _modules(ours)


def _contestant(name: str, one: Found) -> list[Any]:
    best, budget = one["best"], one["budgeted"]
    recall = [
        best.get(key, {}).get("figures", {}).get("recall_lead14")
        for key in ("precision_0.85", "precision_actionable_0.85")
    ]
    ranking = [one["auc_weekly"], one["auc_weekly_active"], one["ece"]]
    return [name, *ranking, *recall, budget["recall_14_42"], budget["ppv_0_42"]]


def _raised(ours: Found) -> str:
    if ours["alerts_raised"] is None:
        return ""
    one = ours["alerts_raised"]["figures"]
    return (
        f"\nAlerts really raised: precision {number(one['precision'])} (actionable "
        f"{number(one['precision_actionable'])}), recall {number(one['recall'])}, with lead 14 "
        f"{number(one['recall_lead14'])}, with lead 21 {number(one['recall_lead21'])}, median lead "
        f"{number(one['median_lead'])} days, {number(one['alerts_per_100_per_week'])} per 100 enrolments "
        "and week.\n"
    )


def _modules(ours: Found) -> str:
    rows = []
    for one in ours["by_module"]:
        raised = one["alerts_raised"] or {}
        rows.append([
            one["module"], one["enrolments"], one["auc_weekly"], one["auc_weekly_active"], one["ece"],
            one["observed_over_expected"], raised.get("precision"), raised.get("recall_lead14"),
        ])  # fmt: skip
    head = [
        "module",
        "enrolments",
        "AUC",
        "AUC, active",
        "ECE",
        "observed / expected",
        "alerts right",
        "recall, lead 14",
    ]
    return f"\n{_table(head, rows)}"


def new_courses(found: Found) -> str:
    """Known and new courses."""
    rows = [
        [
            f"{one['module']}/{one['presentation']}", " ".join(one["left_out"]), one["enrolments"],
            f"{one['known']:.4f}", f"{one['new']:.4f}", f"{one['difference']:+.4f}",
            f"{one['low']:+.4f} to {one['high']:+.4f}", "yes" if one["within"] else "no",
            f"{max(one['experts'].values()):.4f}", f"{one['beyond_best']:+.4f}",
            "yes" if one["mixed_well"] else "no",
        ]
        for one in found
    ]  # fmt: skip
    return _section(
        "A new course: one module left out, each in turn",
        "homeroom new-course --oulad DIR --report H --json new-course.json",
        [
            "run",
            "left out",
            "enrolments",
            "AUC known",
            "AUC new",
            "difference",
            "95 %",
            "within .01",
            "best expert",
            "new less it",
            "within .005",
        ],
        rows,
        "AUC of the weekly estimates from day 28 of the run on. The best single expert is the one "
        "of the mixture that does best on the new course, alone and steadied alike: its choice knows the "
        "outcome.",
    )


def audited(found: Found) -> str:
    """Fairness, an attribute after the other."""
    rows: list[list[Any]] = []
    for attribute in found["attributes"]:
        title = attribute["attribute"]
        rows += [[title, *_group(one)] for one in attribute["groups"]]
        rows += [
            [title, f"{group}: too few", count, *[None] * 7] for group, count in attribute["left_out"].items()
        ]
    return _section(
        "Fairness",
        "homeroom fairness --oulad DIR --estimates F --report H --json fairness.json",
        [
            "",
            "group",
            "enrolments",
            "lost",
            "AUC",
            "alerted of the lost",
            "gap",
            "ABROCA",
            "by chance",
            "differs",
        ],
        rows,
        "No estimate knows any of this. A group differs where its gap's interval leaves out nought, or its "
        "ABROCA is above what 95 % of random groups of its size have; of twenty that do not, one looks as "
        "if it did.",
    )


def _group(one: Found) -> list[Any]:
    gap = "reference"
    if not one["reference"] and one["gap"] is not None:
        gap = f"{one['gap']:+.3f} ({one['gap_low']:+.3f} to {one['gap_high']:+.3f})"
    return [
        one["group"],
        one["enrolments"],
        one["lost"],
        f"{number(one['auc'])} ({number(one['auc_low'])}–{number(one['auc_high'])})",
        one["true_positive_rate"],
        gap,
        one["abroca"],
        one["abroca_by_chance"],
        "yes" if one["differs"] else "",
    ]


def causal(found: Found) -> str:
    """Cuts and what they changed."""
    rows = [
        [one["day"], one["estimates"], one["changes"], len(one["differing"]), one["differing_changes"]]
        for one in found
    ]
    code, days = found[0]["presentation"], " ".join(f"--day {one['day']}" for one in found)
    return _section(
        "Causality",
        f"homeroom causality --oulad DIR --test {code} {days} --json causality.json",
        [
            f"data cut at the start of day, {code}",
            "estimates before it",
            "risk changes before it",
            "days of runs that differ",
            "changes that differ",
        ],
        rows,
        "Every estimate of every run, bit by bit.",
    )


SECTIONS: dict[str, Callable[[Found], str]] = {
    "evaluate": evaluated,
    "new-course": new_courses,
    "fairness": audited,
    "causality": causal,
}
"""Name of the JSON file → its section."""


def document(folder: Path) -> str:
    """The whole page; a section for each file that is there."""
    text = HEAD
    for name, section in SECTIONS.items():
        path = folder / f"{name}.json"
        if path.is_file():
            text += section(json.loads(path.read_text(encoding="utf-8")))
    return text


def _section(title: str, command: str, head: Sequence[str], rows: Sequence[Sequence[Any]], note: str) -> str:
    return f"\n## {title}\n\n    {command}\n\n{_table(head, rows)}\n{note}\n"


def _table(head: Sequence[str], rows: Sequence[Sequence[Any]]) -> str:
    lines = [head, ["---"] * len(head), *([number(cell) for cell in row] for row in rows)]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def main(arguments: list[str]) -> int:
    if len(arguments) != 1 or not Path(arguments[0]).is_dir():
        print(f"evaluation.document takes the folder of the JSON files, not {arguments}", file=sys.stderr)
        return 2
    FILE.write_text(document(Path(arguments[0])), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
