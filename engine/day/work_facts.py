"""Applies facts about an enrolment's work: hand-ins, grades, extensions, progress."""

from engine.batch.decoding import Message
from engine.state.partition_state import PartitionState
from features.coursework import record_grade, record_hand_in, score_steps
from features.dates import EXCUSED

MAX_DATES = 400
"""Most dates of its own per enrolment; beyond it, the ones given first are dropped."""


def apply_hand_in(state: PartitionState, slot: int, fact: Message) -> None:
    """Apply a hand-in; its score, if it has one, is the grade of the attempt."""
    index = int(state.run_of[slot])
    cell = state.gradebook.cell(index, state.runs[index], slot, fact["object"])
    if cell is not None:
        record_hand_in(cell, state.days.day(fact["time"]))
    if fact.get("score") is not None:
        apply_grade(state, slot, fact)


def apply_grade(state: PartitionState, slot: int, fact: Message) -> None:
    """Apply a grade; without an attempt number, it is for the newest attempt."""
    index, steps = int(state.run_of[slot]), score_steps(fact["score"])
    run = state.runs[index]
    order = state.gradebook.next_order(index, run, slot)
    cell = state.gradebook.cell(index, run, slot, fact["object"])
    if cell is not None:
        record_grade(cell, state.days.day(fact["time"]), steps, order, fact.get("attempt"))


def apply_extension(state: PartitionState, slot: int, fact: Message) -> None:
    """Apply a learner's own date for a piece of work, or an excuse from it; the newest holds."""
    attributes = state.attributes.get(slot, {})
    dates: dict[str, list[int]] = dict(attributes.get("dates", {}))
    name, day = fact["object"], EXCUSED if fact.get("excused") else fact["due_day"]
    if fact["time"] >= dates.get(name, [0, 0])[1]:
        dates.pop(name, None)
        dates[name] = [day, fact["time"]]
        while len(dates) > MAX_DATES:
            dates.pop(next(iter(dates)))
        state.set_attributes(slot, attributes | {"dates": dates})


def apply_progress(state: PartitionState, slot: int, fact: Message) -> None:
    """Apply reported progress; the newest holds, even if it is less."""
    row = state.rows[slot]
    if fact["time"] >= row["progress_at"]:
        row["progress"], row["progress_at"] = score_steps(fact["progress"]), fact["time"]
