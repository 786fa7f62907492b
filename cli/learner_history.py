"""One learner's history from the store, from the first risk change to the outcome: ``homeroom why``."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, time
from typing import Any

from rich.console import Console

from output.screen import styled
from sinks.store import StoreReader

SILENT_DAYS = 7
"""Days without activity from which on a silence gets an entry."""

SENT_LATER = {
    "study_time": "when this learner usually studies",
    "quiet_hours": "when the night has ended",
    "digest": "with the learner's digest",
}


@dataclass(frozen=True, slots=True, order=True)
class HistoryEntry:
    """One event of a learner's history; entries sort by time."""

    occurred_at: datetime
    order: int
    course_run: str
    text: str
    nudge_id: str = ""
    """The nudge that the entry refers to; empty without one."""


FORMER_NAMES = "SELECT DISTINCT former_learner FROM former_names WHERE learner IN %(learners)s"


def history_of(reader: StoreReader, pseudonym: str) -> list[HistoryEntry]:
    """A learner's history in order of time; empty where the store has none."""
    names = names_of(reader, pseudonym)
    parts = (_facts, _activity, _changes, _decisions, _outcomes)
    return sorted(entry for part in parts for entry in part(reader, names))


def names_of(reader: StoreReader, pseudonym: str) -> list[str]:
    """A learner's pseudonym, and those of the accounts that were merged into it."""
    names, newest = {pseudonym}, {pseudonym}
    while newest:
        rows = reader.query(FORMER_NAMES, {"learners": sorted(newest)}).rows
        newest = {row[0] for row in rows} - names
        names |= newest
    return sorted(names)


def show(console: Console, pseudonym: str, entries: Sequence[HistoryEntry]) -> None:
    """Print one line per entry; entries about the same nudge share the first digits of its id."""
    console.print(styled("bold", pseudonym), highlight=False)
    for entry in entries:
        nudge = f" ({entry.nudge_id[:8]})" if entry.nudge_id else ""
        run = f" {entry.course_run}" if entry.course_run else ""
        line = f"{entry.occurred_at:%Y-%m-%d %H:%M}{run}: {entry.text}{nudge}"
        console.print(line, highlight=False, soft_wrap=True)


def _facts(reader: StoreReader, pseudonyms: Sequence[str]) -> Iterator[HistoryEntry]:
    sql = (
        "SELECT at, course_run, fact, nudge_id, detail FROM learner_facts FINAL "
        "WHERE learner IN %(learners)s ORDER BY at, fact_id"
    )
    for occurred_at, course_run, fact, nudge_id, detail in _rows(reader, sql, pseudonyms):
        text = {
            "returned": "active again after a week or more of silence",
            "completed": f"finished: {detail}",
            "preferences": f"wishes {detail}",
            "withdrawn": "left the course",
            "pause": f"pauses, {detail}",
            "merged": f"the account goes on as {detail}",
            "renamed": f"the course goes on as {detail}",
        }.get(fact, f"{fact}{' on ' + detail if detail else ''}")
        yield HistoryEntry(occurred_at, 0, course_run, text, nudge_id)


def _activity(reader: StoreReader, pseudonyms: Sequence[str]) -> Iterator[HistoryEntry]:
    """The first and the last day of activity, and the last day before each long silence."""
    weeks = "SELECT course_run, day, clicks FROM risk_history FINAL WHERE learner IN %(learners)s"
    sql = (
        f"SELECT course_run, addDays(day, -back) AS active, max(count) FROM ({weeks}) "  # noqa: S608
        "ARRAY JOIN clicks AS count, arrayEnumerate(clicks) AS back WHERE count > 0 "
        "GROUP BY course_run, active ORDER BY course_run, active"
    )
    rows = _rows(reader, sql, pseudonyms)
    for index, (course_run, day, clicks) in enumerate(rows):
        first = not index or rows[index - 1][0] != course_run
        last = index + 1 == len(rows) or rows[index + 1][0] != course_run
        silent = 0 if last else (rows[index + 1][1] - day).days - 1
        phrases = ["active for the first time"] if first else []
        if last:
            phrases.append("active for the last time that the store knows of")
        elif silent >= SILENT_DAYS:
            phrases.append(f"active, then silent for {silent} days")
        if phrases:
            text = f"{'; '.join(phrases)} ({clicks:,} click{'' if clicks == 1 else 's'})"
            yield HistoryEntry(datetime.combine(day, time(), UTC), 0, course_run, text)


def _changes(reader: StoreReader, pseudonyms: Sequence[str]) -> Iterator[HistoryEntry]:
    sql = (
        "SELECT occurred_at, course_run, previous_level, level, probability, model_state, "
        "reasons, reliefs FROM risk_changes FINAL WHERE learner IN %(learners)s ORDER BY occurred_at"
    )
    for occurred_at, course_run, before, level, probability, state, reasons, reliefs in _rows(
        reader, sql, pseudonyms
    ):
        helps = next(filter(None, reliefs), "")
        reason_text = "; ".join([*reasons, f"would help: {helps}"] if helps else reasons)
        model_note = f" ({state.replace('_', ' ')})" if state != "serving" else ""
        yield HistoryEntry(
            occurred_at,
            1,
            course_run,
            f"risk {before} → {level}, {probability:.0%}{model_note}: {reason_text}",
        )


def _decisions(reader: StoreReader, pseudonyms: Sequence[str]) -> Iterator[HistoryEntry]:
    sql = (
        "SELECT decided_at, course_run, decision, reason, campaign, variant, channel, nudge_id, send_at, "
        "policy_version, propensity FROM nudge_ledger FINAL WHERE learner IN %(learners)s ORDER BY decided_at"
    )
    for (
        decided_at,
        run,
        decision,
        reason,
        campaign,
        variant,
        channel,
        nudge_id,
        send_at,
        policy,
        odds,
    ) in _rows(reader, sql, pseudonyms):
        reason_text = reason.replace("_", " ")
        policy_note = f"[{policy}, propensity {odds:.2f}]"
        match decision:
            case "send":
                later = SENT_LATER.get(reason, reason_text)
                yield HistoryEntry(
                    decided_at,
                    2,
                    run,
                    f"nudge {campaign}/{variant} by {channel}: {later} {policy_note}",
                    nudge_id,
                )
                yield HistoryEntry(send_at, 3, run, f"to be sent by {channel}", nudge_id)
            case "cancel":
                yield HistoryEntry(
                    decided_at, 2, run, f"nudge {campaign}/{variant} cancelled: {reason_text}", nudge_id
                )
            case _ if reason == "awaiting_approval":
                text = f"nudge {campaign}/{variant} by {channel} proposed to an instructor {policy_note}"
                yield HistoryEntry(decided_at, 2, run, text, nudge_id)
            case _:
                yield HistoryEntry(
                    decided_at, 2, run, f"no nudge: {reason_text} {policy_note}", nudge_id or ""
                )


def _outcomes(reader: StoreReader, pseudonyms: Sequence[str]) -> Iterator[HistoryEntry]:
    """Outcomes of the enrolment after randomized decisions."""
    sql = (
        "SELECT toDateTime(o.known + 1, 'UTC'), o.course_run, o.outcome, o.happened, o.arm, "
        "ifNull(l.nudge_id, '') FROM (SELECT * FROM nudge_outcomes FINAL WHERE learner IN %(learners)s) AS o "
        "LEFT JOIN (SELECT * FROM nudge_ledger FINAL WHERE learner IN %(learners)s) AS l "
        "ON l.decision_id = o.decision_id ORDER BY o.known, o.outcome"
    )
    for known_at, course_run, outcome, happened, arm, nudge_id in _rows(reader, sql, pseudonyms):
        text = f"outcome {outcome}: {'yes' if happened else 'no'} ({arm})"
        yield HistoryEntry(known_at, 4, course_run, text, nudge_id)


def _rows(reader: StoreReader, sql: str, pseudonyms: Sequence[str]) -> list[tuple[Any, ...]]:
    return reader.query(sql, {"learners": pseudonyms}).rows
