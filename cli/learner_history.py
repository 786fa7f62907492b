"""One learner's history out of the store, from the first risk change to the outcome: ``homeroom why``."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, time
from typing import Any

from rich.console import Console

from output.screen import styled
from sinks.store import StoreReader

SILENT_DAYS = 7
"""Days without activity that are worth a line."""

SENT_LATER = {
    "study_time": "when this learner usually studies",
    "quiet_hours": "when the night has ended",
    "digest": "with the learner's digest",
}


@dataclass(frozen=True, slots=True, order=True)
class Moment:
    """Something that happened, in words. Moments sort by time."""

    at: datetime
    order: int
    course_run: str
    words: str
    about: str = ""
    """The nudge that it is about, where there is one."""


def of_learner(reader: StoreReader, pseudonym: str) -> list[Moment]:
    """All that the store knows to have happened to a learner, in order; empty where it knows nothing."""
    parts = (_facts, _activity, _changes, _decisions, _outcomes)
    return sorted(moment for part in parts for moment in part(reader, pseudonym))


def show(console: Console, pseudonym: str, moments: Sequence[Moment]) -> None:
    """A line for each moment; the beginning of the nudge's id says what belongs together."""
    console.print(styled("bold", pseudonym), highlight=False)
    for one in moments:
        about = f" ({one.about[:8]})" if one.about else ""
        run = f" {one.course_run}" if one.course_run else ""
        words = f"{one.at:%Y-%m-%d %H:%M}{run}: {one.words}{about}"
        console.print(words, highlight=False, soft_wrap=True)


def _facts(reader: StoreReader, pseudonym: str) -> Iterator[Moment]:
    sql = (
        "SELECT at, course_run, fact, nudge_id, detail FROM learner_facts FINAL "
        "WHERE learner = %(learner)s ORDER BY at, fact_id"
    )
    for at, course_run, fact, nudge_id, detail in _rows(reader, sql, pseudonym):
        words = {
            "returned": "active again after a week or more of silence",
            "completed": f"finished: {detail}",
            "preferences": f"wishes {detail}",
            "withdrawn": "left the course",
        }.get(fact, f"{fact}{' on ' + detail if detail else ''}")
        yield Moment(at, 0, course_run, words, nudge_id)


def _activity(reader: StoreReader, pseudonym: str) -> Iterator[Moment]:
    """The first and the last day of activity, and the last one before each long silence."""
    weeks = "SELECT course_run, day, clicks FROM risk_history FINAL WHERE learner = %(learner)s"
    sql = (
        f"SELECT course_run, addDays(day, -back) AS active, max(count) FROM ({weeks}) "  # noqa: S608
        "ARRAY JOIN clicks AS count, arrayEnumerate(clicks) AS back WHERE count > 0 "
        "GROUP BY course_run, active ORDER BY course_run, active"
    )
    rows = _rows(reader, sql, pseudonym)
    for place, (course_run, day, clicks) in enumerate(rows):
        first = not place or rows[place - 1][0] != course_run
        last = place + 1 == len(rows) or rows[place + 1][0] != course_run
        silent = 0 if last else (rows[place + 1][1] - day).days - 1
        told = ["active for the first time"] if first else []
        if last:
            told.append("active for the last time that the store knows of")
        elif silent >= SILENT_DAYS:
            told.append(f"active, then silent for {silent} days")
        if told:
            words = f"{'; '.join(told)} ({clicks:,} click{'' if clicks == 1 else 's'})"
            yield Moment(datetime.combine(day, time(), UTC), 0, course_run, words)


def _changes(reader: StoreReader, pseudonym: str) -> Iterator[Moment]:
    sql = (
        "SELECT occurred_at, course_run, previous_level, level, probability, model_state, "
        "reasons, reliefs FROM risk_changes FINAL WHERE learner = %(learner)s ORDER BY occurred_at"
    )
    for at, course_run, before, level, probability, state, reasons, reliefs in _rows(reader, sql, pseudonym):
        helps = next(filter(None, reliefs), "")
        why = "; ".join([*reasons, f"would help: {helps}"] if helps else reasons)
        told = f" ({state.replace('_', ' ')})" if state != "serving" else ""
        yield Moment(at, 1, course_run, f"risk {before} → {level}, {probability:.0%}{told}: {why}")


def _decisions(reader: StoreReader, pseudonym: str) -> Iterator[Moment]:
    sql = (
        "SELECT decided_at, course_run, decision, reason, campaign, variant, channel, nudge_id, send_at, "
        "policy_version, propensity FROM nudge_ledger FINAL WHERE learner = %(learner)s ORDER BY decided_at"
    )
    for at, run, decision, reason, campaign, variant, channel, nudge_id, send_at, policy, odds in _rows(
        reader, sql, pseudonym
    ):
        plain = reason.replace("_", " ")
        by = f"[{policy}, propensity {odds:.2f}]"
        match decision:
            case "send":
                later = SENT_LATER.get(reason, plain)
                yield Moment(at, 2, run, f"nudge {campaign}/{variant} by {channel}: {later} {by}", nudge_id)
                yield Moment(send_at, 3, run, f"to be sent by {channel}", nudge_id)
            case "cancel":
                yield Moment(at, 2, run, f"nudge {campaign}/{variant} cancelled: {plain}", nudge_id)
            case _ if reason == "awaiting_approval":
                words = f"nudge {campaign}/{variant} by {channel} proposed to an instructor {by}"
                yield Moment(at, 2, run, words, nudge_id)
            case _:
                yield Moment(at, 2, run, f"no nudge: {plain} {by}", nudge_id or "")


def _outcomes(reader: StoreReader, pseudonym: str) -> Iterator[Moment]:
    """What became of the enrolment after decisions that chance had a say in."""
    sql = (
        "SELECT toDateTime(o.known + 1, 'UTC'), o.course_run, o.outcome, o.happened, o.arm, "
        "ifNull(l.nudge_id, '') FROM (SELECT * FROM nudge_outcomes FINAL WHERE learner = %(learner)s) AS o "
        "LEFT JOIN (SELECT * FROM nudge_ledger FINAL WHERE learner = %(learner)s) AS l "
        "ON l.decision_id = o.decision_id ORDER BY o.known, o.outcome"
    )
    for at, course_run, outcome, happened, arm, nudge_id in _rows(reader, sql, pseudonym):
        words = f"outcome {outcome}: {'yes' if happened else 'no'} ({arm})"
        yield Moment(at, 4, course_run, words, nudge_id)


def _rows(reader: StoreReader, sql: str, pseudonym: str) -> list[tuple[Any, ...]]:
    return reader.query(sql, {"learner": pseudonym}).rows
