"""What is heard of an enrolment's work: hand-ins, grades, dates of its own, progress."""

from engine.batch.decoding import Message
from engine.state.partition_state import PartitionState
from features.coursework import grade, hand_in, steps_of
from features.dates import EXCUSED
from schemas.fields import DAY_S

MOST_DATES = 400
"""Dates of its own that an enrolment may have; of more, the ones given first go."""


def apply_hand_in(state: PartitionState, slot: int, fact: Message) -> None:
    """Apply a submission; its score, where it has one, is the attempt's grade."""
    index = int(state.run_of[slot])
    cell = state.gradebook.cell(index, state.runs[index], slot, fact["object"])
    if cell is not None:
        hand_in(cell, fact["time"] // DAY_S)
    if fact.get("score") is not None:
        apply_grade(state, slot, fact)


def apply_grade(state: PartitionState, slot: int, fact: Message) -> None:
    """Apply a grade, of the newest attempt where the fact names none."""
    index, steps = int(state.run_of[slot]), steps_of(fact["score"])
    run = state.runs[index]
    order = state.gradebook.next_order(index, run, slot)
    cell = state.gradebook.cell(index, run, slot, fact["object"])
    if cell is not None:
        grade(cell, fact["time"] // DAY_S, steps, order, fact.get("attempt"))


def apply_extension(state: PartitionState, slot: int, fact: Message) -> None:
    """Apply a date that a platform gave to one learner, or that it excused them; the newest counts."""
    attributes = state.attributes.get(slot, {})
    dates: dict[str, list[int]] = dict(attributes.get("dates", {}))
    name, day = fact["object"], EXCUSED if fact.get("excused") else fact["due_day"]
    if fact["time"] >= dates.get(name, [0, 0])[1]:
        dates.pop(name, None)
        dates[name] = [day, fact["time"]]
        while len(dates) > MOST_DATES:
            dates.pop(next(iter(dates)))
        state.set_attributes(slot, attributes | {"dates": dates})


def apply_progress(state: PartitionState, slot: int, fact: Message) -> None:
    """Apply the progress that a platform reports; the newest holds, also where it is less."""
    row = state.rows[slot]
    if fact["time"] >= row["progress_at"]:
        row["progress"], row["progress_at"] = steps_of(fact["progress"]), fact["time"]
