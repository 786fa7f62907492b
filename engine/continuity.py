"""Where a partition goes on reading: what was applied, compared with what the broker's log holds. Pure.

A group's committed offset is a number, and says nothing of the log that it counts. A topic that was deleted
and made anew counts from 0 again, retention deletes what nobody has read yet, and a state topic may have been
emptied. So it is the state that says up to where records are applied, and in which incarnation of the topic
(by its id on the broker); the commit is only what others see of it.

``resume`` compares the two and gives the offset to read from. Where they do not join there is a *break*: what
is missing is a range of offsets, counted and told. A gap within the log is none: transactions leave markers
between their records, and only what lies before the log's start was deleted.
"""

from dataclasses import dataclass
from typing import Literal

Cause = Literal[
    "deleted",  # retention, or somebody, deleted records before they were read
    "remade",  # the topic was deleted and made anew
    "cut",  # the log ends before what was applied: the broker lost its end
    "state_lost",  # the group had read, and there is no state
]


@dataclass(frozen=True, slots=True)
class Vouched:
    """Up to where a log was applied.

    applied: the last offset, −1 before any. topic_id: the topic's id on the broker at that time; empty where
    it is not known, as in what earlier releases wrote.
    """

    applied: int = -1
    topic_id: str = ""


@dataclass(frozen=True, slots=True)
class Log:
    """One partition's log on the broker: offsets from ``start`` to ``end``, the latter excluded."""

    start: int
    end: int
    topic_id: str = ""


@dataclass(frozen=True, slots=True)
class Break:
    """Where the log does not join what was applied.

    first, last: the offsets that are missing, both included; ``last`` is ``first`` − 1 where none is known to
    be.
    """

    cause: Cause
    first: int
    last: int
    words: str

    @property
    def records(self) -> int:
        """How many offsets are missing."""
        return self.last - self.first + 1


@dataclass(frozen=True, slots=True)
class Start:
    """The offset to read from, in the topic of this id, and the break before it, where there is one."""

    position: int
    topic_id: str
    broken: Break | None = None


def resume(vouched: Vouched, log: Log, committed: int = 0) -> Start:
    """Where to go on. ``committed``: where the group stands; more than 0 tells that it has read before."""
    broken = _break(vouched, log, committed)
    if broken is None:
        return Start(max(vouched.applied + 1, log.start), log.topic_id)
    return Start(log.end if broken.cause == "cut" else log.start, log.topic_id, broken)


def _break(vouched: Vouched, log: Log, committed: int) -> Break | None:
    after = vouched.applied + 1
    if vouched == Vouched():
        return _without_state(log, committed) if committed > 0 else None
    if vouched.topic_id and vouched.topic_id != log.topic_id:
        words = f"the topic was made anew (id {vouched.topic_id}, now {log.topic_id})"
        return _anew(after, log, words)
    if after > log.end and not vouched.topic_id:
        words = f"the log ends at offset {log.end}, before what was applied: the topic was made anew"
        return _anew(after, log, words)
    if after > log.end:
        words = (
            f"the log ends at offset {log.end} and was applied up to {vouched.applied}: its end was cut off"
        )
        return Break("cut", log.end, log.end - 1, words + "; what comes there now is new")
    if after < log.start:
        words = f"applied up to offset {vouched.applied}, and the log begins at {log.start}"
        return Break("deleted", after, log.start - 1, words + ": deleted before it was read")
    return None


def _without_state(log: Log, committed: int) -> Break:
    words = (
        f"the group had read up to offset {committed} and there is no state: read again from the log's start"
    )
    return Break("state_lost", 0, log.start - 1, words)


def _anew(after: int, log: Log, words: str) -> Break:
    words += f"; what the old log held from offset {after} on is gone, and nobody knows how much that was"
    return Break("remade", 0, log.start - 1, words)
