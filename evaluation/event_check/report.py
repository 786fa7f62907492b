"""Shows the figures and findings of a sample as tables, and gives them as plain data for JSON."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

from rich.console import Console
from rich.table import Column, Table

from evaluation.event_check.counts import EventCounts, RefusalGroup
from evaluation.event_check.finding import Finding, percent
from output.screen import styled, table
from sources.formats.translation import Fate, Names

Groups = Mapping[tuple[str, str], RefusalGroup]

CLOCKS = {
    "live": "as published now, or at their timestamps",
    "replay": "as replayed, by its ticks",
}


FATES: Mapping[Fate, str] = {
    "translated": "",
    "unknown": "the vocabulary lacks it: an activity of the kind other",
    "ignored": "no act of a learner",
    "repeated": "another event tells of the same act",
    "outside": "belongs to no course",
    "anonymous": "belongs to nobody who is signed in",
    "voided": "taken back",
}
"""What became of an event, as a reader wants it."""

MAX_NAMES = 40
"""Names of events that are shown one by one."""


def show(counts: EventCounts, findings: Sequence[Finding], console: Console) -> None:
    """Print the report."""
    for title, shown in tables(counts, findings):
        console.print(styled("bold", f"\n{title}"), highlight=False)
        console.print(shown)
    if not findings:
        console.print("\nNothing that estimates need is missing, and nothing looks unusual.")


def tables(counts: EventCounts, findings: Sequence[Finding]) -> Iterator[tuple[str, Table]]:
    """The tables of the report with their titles; those that would be empty are left out."""
    yield f"What a worker would say ({CLOCKS[counts.clock]})", _summary(counts)
    if counts.names:
        yield "Events read, and what became of them", _names(counts.names)
    if counts.refusals:
        yield "Refused, and why", _refusals(counts.refusals)
    if counts.refused_fields:
        yield "Fields refused, the rest applied", _refusals(counts.refused_fields)
    if counts.unknown:
        yield "Fields that the contract does not know", _numbers(("field", "records"), counts.unknown)
    if counts.types:
        yield "Messages applied", _numbers(("type", "messages"), counts.types)
    if counts.kinds:
        yield "Activities of learners", _numbers(("kind", "activities"), counts.kinds)
    if counts.roles:
        yield "Not counted as learners'", _numbers(("role", "messages"), counts.roles)
    if counts.lateness.activities:
        yield "Times and repeats of activities", _times(counts)
    if lacking := [finding for finding in findings if finding.level == "missing"]:
        titles = ("missing", "where", "what the estimates will not know")
        yield "What would make estimates better", _findings(titles, lacking)
    if unusual := [finding for finding in findings if finding.level == "look"]:
        yield "Worth a look", _findings(("found", "where", "what it may mean"), unusual)


def _grid(*columns: str | Column) -> Table:
    has_titles = any(column if isinstance(column, str) else column.header for column in columns)
    return table(*columns, box=None, pad_edge=False, show_header=has_titles)


def _numbers(columns: tuple[str, str], numbers: Mapping[str, int]) -> Table:
    grid = _grid(columns[0], Column(columns[1], justify="right"))
    for name, number in sorted(numbers.items(), key=lambda item: (-item[1], item[0])):
        grid.add_row(name, f"{number:,}")
    return grid


def _summary(counts: EventCounts) -> Table:
    grid = _grid("", Column(justify="right"), "")
    for name, number in (
        ("applied", counts.applied),
        ("dropped as repeats", counts.repeats),
        ("refused", counts.refused),
    ):
        grid.add_row(name, f"{number:,}", percent(number, counts.records))
    grid.add_row("records", f"{counts.records:,}", "")
    about = "about " if counts.learners_one_in > 1 else ""
    grid.add_row("learners", f"{about}{counts.learner_number:,}", "")
    grid.add_row("course runs", f"{len(counts.runs):,}", "")
    if counts.first is not None and counts.last is not None:
        grid.add_row("activities from", day(counts.first), f"to {day(counts.last)}")
    if counts.feedback:
        grid.add_row("of homeroom.feedback", f"{counts.feedback:,}", "publish them to that topic")
    return grid


def _names(names: Names) -> Table:
    grid = _grid("event", Column("events", justify="right"), "became", "why")
    by_number = sorted(names.items(), key=lambda item: (-item[1], item[0]))
    for (name, fate), number in by_number[:MAX_NAMES]:
        grid.add_row(name, f"{number:,}", fate, FATES[fate])
    if others := by_number[MAX_NAMES:]:
        grid.add_row(f"{len(others):,} others", f"{sum(number for _, number in others):,}", "", "")
    return grid


def _refusals(groups: Groups) -> Table:
    grid = _grid("reason", "field", Column("records", justify="right"), "for example")
    for (reason, field), group in sorted(groups.items(), key=lambda item: (-item[1].records, item[0])):
        examples = "\n".join(f"{place}: {detail}" for place, detail in group.examples)
        grid.add_row(reason, field or "–", f"{group.records:,}", examples)
    return grid


def _times(counts: EventCounts) -> Table:
    late, repeats = counts.lateness, counts.repeat_counts
    grid = _grid("", Column(justify="right"), "")
    parts = [f"{name} by at most {duration(late.quantiles[share])}" for share, name in QUANTILES if late.late]
    how_late = ", ".join(parts)
    grid.add_row("later than one before them", percent(late.late, late.activities), how_late)
    grid.add_row("later than the close of their day", percent(late.after_close, late.activities), "")
    grid.add_row("the same event_id again", percent(repeats.repeated + repeats.reused, repeats.events), "")
    grid.add_row("the same content under another", percent(repeats.copies, repeats.contents), "")
    offsets = counts.offsets
    if offsets.records:
        middle = duration(offsets.quantiles[0.5])
        grid.add_row(
            "ahead of their record's time",
            percent(offsets.ahead, offsets.records),
            f"half at {middle} or less",
        )
    return grid


QUANTILES = ((0.5, "half of these"), (0.95, "95 %"), (0.99, "99 %"))


def _findings(titles: tuple[str, str, str], findings: Sequence[Finding]) -> Table:
    grid = _grid(*titles)
    grid.leading = 1
    for finding in findings:
        grid.add_row(finding.found, finding.about, finding.means)
    return grid


def day(moment: int) -> str:
    """A day in UTC, of epoch seconds."""
    return datetime.fromtimestamp(moment, UTC).strftime("%Y-%m-%d")


def duration(minutes: int) -> str:
    """Minutes as a reader wants them: ``7 min``, ``3.5 h``, ``12 days``."""
    size = abs(minutes)
    if size < 90:
        return f"{minutes} min"
    return f"{minutes / 60:.1f} h" if size < 48 * 60 else f"{minutes / 1440:.0f} days"


def to_json(counts: EventCounts, findings: Sequence[Finding]) -> dict[str, Any]:
    """The report as plain data; learners are named in findings alone."""
    return {
        "records": counts.records,
        "applied": counts.applied,
        "repeats": counts.repeats,
        "refused": counts.refused,
        "refused_share": round(counts.refused_share, 6),
        "clock": counts.clock,
        "learners": counts.learner_number,
        "first": None if counts.first is None else day(counts.first),
        "last": None if counts.last is None else day(counts.last),
        "events_read": [
            {"name": name, "fate": fate, "events": number}
            for (name, fate), number in sorted(counts.names.items())
        ],
        "refusals": _groups(counts.refusals),
        "fields_refused": _groups(counts.refused_fields),
        "unknown_fields": counts.unknown,
        "types": dict(counts.types),
        "kinds": dict(counts.kinds),
        "roles": dict(counts.roles),
        "sources": dict(counts.sources),
        "runs": {name: _run(counts, name) for name in sorted(counts.runs)},
        "lateness": asdict(counts.lateness),
        "clock_offsets": asdict(counts.offsets),
        "activity_repeats": asdict(counts.repeat_counts),
        "findings": [asdict(finding) for finding in findings],
    }


def _groups(groups: Groups) -> list[dict[str, Any]]:
    return [
        {
            "reason": reason,
            "field": field,
            "records": group.records,
            "examples": [{"at": place, "detail": detail} for place, detail in group.examples],
        }
        for (reason, field), group in sorted(groups.items())
    ]


def _run(counts: EventCounts, name: str) -> dict[str, Any]:
    run = counts.runs[name]
    return {
        "activities": run.activities,
        "submissions": run.submissions,
        "facts": dict(run.facts),
        "deadlines": None if run.calendar is None else len(run.calendar.work),
        "has_end": run.calendar is not None and run.calendar.ends is not None,
    }
