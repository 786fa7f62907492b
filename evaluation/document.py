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

Json = Any
"""Parsed JSON."""


def evaluation_section(results: Json) -> str:
    """Figures of the estimates, compared with other methods, and by module."""
    ours, codes = results["homeroom"], " ".join(f"--test {code}" for code in results["presentations"])
    by_method = {"**homeroom**": ours, **results["baselines"]}
    rows = [_method_row(name, figures) for name, figures in by_method.items()]
    text = _section(
        f"Estimates of {', '.join(results['presentations'])}",
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
    return text + _alerts_text(ours) + _module_table(ours)


def _method_row(name: str, figures: Json) -> list[Any]:
    best, budget = figures["best"], figures["budgeted"]
    recall = [
        best.get(key, {}).get("figures", {}).get("recall_lead14")
        for key in ("precision_0.85", "precision_actionable_0.85")
    ]
    ranking = [figures["auc_weekly"], figures["auc_weekly_active"], figures["ece"]]
    return [name, *ranking, *recall, budget["recall_14_42"], budget["ppv_0_42"]]


def _alerts_text(ours: Json) -> str:
    if ours["alerts_raised"] is None:
        return ""
    figures = ours["alerts_raised"]["figures"]
    return (
        f"\nAlerts really raised: precision {number(figures['precision'])} (actionable "
        f"{number(figures['precision_actionable'])}), recall {number(figures['recall'])}, with lead 14 "
        f"{number(figures['recall_lead14'])}, with lead 21 {number(figures['recall_lead21'])}, median lead "
        f"{number(figures['median_lead'])} days, {number(figures['alerts_per_100_per_week'])} per 100 "
        "enrolments and week.\n"
    )


def _module_table(ours: Json) -> str:
    rows = []
    for module in ours["by_module"]:
        raised = module["alerts_raised"] or {}
        rows.append([
            module["module"], module["enrolments"], module["auc_weekly"], module["auc_weekly_active"],
            module["ece"], module["observed_over_expected"], raised.get("precision"),
            raised.get("recall_lead14"),
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


def new_course_section(comparisons: Json) -> str:
    """Comparison of known and new courses."""
    rows = [
        [
            f"{run['module']}/{run['presentation']}", " ".join(run["left_out"]), run["enrolments"],
            f"{run['known']:.4f}", f"{run['new']:.4f}", f"{run['difference']:+.4f}",
            f"{run['low']:+.4f} to {run['high']:+.4f}", "yes" if run["within"] else "no",
            f"{max(run['experts'].values()):.4f}", f"{run['beyond_best']:+.4f}",
            "yes" if run["mixed_well"] else "no",
        ]
        for run in comparisons
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


def fairness_section(audit: Json) -> str:
    """Fairness, by attribute."""
    rows: list[list[Any]] = []
    for attribute in audit["attributes"]:
        title = attribute["attribute"]
        rows += [[title, *_group_row(group)] for group in attribute["groups"]]
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


def _group_row(figures: Json) -> list[Any]:
    gap = "reference"
    if not figures["reference"] and figures["gap"] is not None:
        gap = f"{figures['gap']:+.3f} ({figures['gap_low']:+.3f} to {figures['gap_high']:+.3f})"
    return [
        figures["group"],
        figures["enrolments"],
        figures["lost"],
        f"{number(figures['auc'])} ({number(figures['auc_low'])}–{number(figures['auc_high'])})",
        figures["true_positive_rate"],
        gap,
        figures["abroca"],
        figures["abroca_by_chance"],
        "yes" if figures["differs"] else "",
    ]


def causality_section(differences: Json) -> str:
    """Truncations of the data, and the differences they made."""
    rows = [
        [
            difference["day"],
            difference["estimates"],
            difference["changes"],
            len(difference["differing"]),
            difference["differing_changes"],
        ]
        for difference in differences
    ]
    code, days = (
        differences[0]["presentation"],
        " ".join(f"--day {difference['day']}" for difference in differences),
    )
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


SECTIONS: dict[str, Callable[[Json], str]] = {
    "evaluate": evaluation_section,
    "new-course": new_course_section,
    "fairness": fairness_section,
    "causality": causality_section,
}
"""Name of the JSON file → its section."""


def document(folder: Path) -> str:
    """The whole page, with a section for each JSON file in the folder."""
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
