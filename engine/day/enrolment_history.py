"""The status, result and role of an enrolment from its registrations, withdrawals, results and roles.

Facts may come in any order; the newest by event time holds. Registrations and withdrawals replace each other,
so a learner who comes back is enrolled again. A result is only replaced by a newer result: platforms register
everybody again every night, and remove everybody when a term is over. A learner who passed has passed; one
who withdrew and was then marked as failed left on the day of the withdrawal.
"""

from typing import Any, cast

from engine.batch.decoding import Message
from engine.state.partition_state import PartitionState
from features.event_days import EventDays
from features.ring import NEVER
from online_models.labels import OPEN, PASSED, WITHDRAWN, outcome_of
from schemas.enrolment import Completed
from schemas.roles import role_number

ATTRIBUTES = ("section", "track", "language")
"""Fields of a registration that are stored beside the row."""


def apply_registration(state: PartitionState, slot: int, fact: Message) -> None:
    """Apply a registration, with its role and attributes."""
    row, day = state.rows[slot], state.days.day(fact["time"])
    first = int(row["enrolled"])
    row["enrolled"] = day if first == NEVER else min(day, first)
    apply_role(state, slot, fact)
    if (fact["time"], OPEN) < (row["status_at"], row["status"]):
        return
    row["status"], row["status_at"] = OPEN, fact["time"]
    reported = {name: fact[name] for name in ATTRIBUTES if fact.get(name) is not None}
    if reported:
        state.set_attributes(slot, state.attributes.get(slot, {}) | reported)
    set_outcome(row, state.days)


def apply_role(state: PartitionState, slot: int, fact: Message) -> None:
    """Apply the role in a registration or an event; without one, the role stays."""
    row, role = state.rows[slot], fact.get("role")
    if role is not None and fact["time"] >= row["role_at"]:
        row["role"], row["role_at"] = role_number(role), fact["time"]


def apply_withdrawal(state: PartitionState, slot: int, fact: Message) -> None:
    """Apply a withdrawal; at the same time as a registration, the withdrawal is the newer of the two."""
    row = state.rows[slot]
    if fact["time"] >= row["status_at"]:
        row["status"], row["status_at"] = WITHDRAWN, fact["time"]
        set_outcome(row, state.days)


def apply_result(state: PartitionState, slot: int, fact: Message) -> None:
    """Apply a final result."""
    row = state.rows[slot]
    if fact["time"] >= row["result_at"]:
        row["result"], row["result_at"] = outcome_of(cast(Completed, fact)), fact["time"]
        set_outcome(row, state.days)


def set_outcome(row: Any, days: EventDays) -> None:
    """Set the outcome that follows from status and result, and its event day."""
    if row["result"] == PASSED or (row["status"] == OPEN and row["result"] != OPEN):
        outcome, since = row["result"], row["result_at"]
    elif row["status"] == WITHDRAWN:
        outcome, since = WITHDRAWN, row["status_at"]
    else:
        outcome, since = OPEN, None
    row["outcome"] = outcome
    row["outcome_day"] = NEVER if since is None else days.day(int(since))
