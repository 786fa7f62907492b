"""What is true of an enrolment by the facts heard of it: enrolled, withdrawn, its result, its role.

Facts may come in any order; the newest by event time holds. Registrations and withdrawals replace each other,
so who comes back is enrolled again. A result is final but for a newer result: platforms enrol everybody anew
every night, and remove everybody when a term is over. Who passed has passed; who withdrew and was then marked
as failed left on the day of the withdrawal.
"""

from typing import Any, cast

from engine.batch.decoding import Message
from engine.state.partition_state import PartitionState
from features.ring import NEVER
from online_models.labels import OPEN, PASSED, WITHDRAWN, outcome_of
from schemas.enrolment import Completed
from schemas.fields import DAY_S
from schemas.roles import role_number

ATTRIBUTES = ("section", "track", "language")
"""Fields of a registration that are kept beside the row."""


def apply_registration(state: PartitionState, slot: int, fact: Message) -> None:
    """Apply a registration, with the role and the attributes that it names."""
    row, day = state.rows[slot], fact["time"] // DAY_S
    first = int(row["enrolled"])
    row["enrolled"] = day if first == NEVER else min(day, first)
    apply_role(state, slot, fact)
    if (fact["time"], OPEN) < (row["standing_at"], row["standing"]):
        return
    row["standing"], row["standing_at"] = OPEN, fact["time"]
    named = {name: fact[name] for name in ATTRIBUTES if fact.get(name) is not None}
    if named:
        state.set_attributes(slot, state.attributes.get(slot, {}) | named)
    _set_outcome(row)


def apply_role(state: PartitionState, slot: int, fact: Message) -> None:
    """Apply the role that a registration or an event names; one that names none says nothing of it."""
    row, role = state.rows[slot], fact.get("role")
    if role is not None and fact["time"] >= row["role_at"]:
        row["role"], row["role_at"] = role_number(role), fact["time"]


def apply_withdrawal(state: PartitionState, slot: int, fact: Message) -> None:
    """Apply a withdrawal. One at the moment of a registration is the newer of the two."""
    row = state.rows[slot]
    if fact["time"] >= row["standing_at"]:
        row["standing"], row["standing_at"] = WITHDRAWN, fact["time"]
        _set_outcome(row)


def apply_result(state: PartitionState, slot: int, fact: Message) -> None:
    """Apply a final result."""
    row = state.rows[slot]
    if fact["time"] >= row["result_at"]:
        row["result"], row["result_at"] = outcome_of(cast(Completed, fact)), fact["time"]
        _set_outcome(row)


def _set_outcome(row: Any) -> None:
    """Set what follows from standing and result, and the day on which it came to be."""
    if row["result"] == PASSED or (row["standing"] == OPEN and row["result"] != OPEN):
        outcome, at = row["result"], row["result_at"]
    elif row["standing"] == WITHDRAWN:
        outcome, at = WITHDRAWN, row["standing_at"]
    else:
        outcome, at = OPEN, None
    row["outcome"] = outcome
    row["outcome_day"] = NEVER if at is None else int(at) // DAY_S
