"""Computes where a partition resumes reading: the applied offset compared with the broker's log. Pure.

A group's committed offset does not identify the log that it belongs to. A topic that was deleted and created
again counts from 0, retention deletes records that were not read yet, and a state topic may have been
emptied. So the state is authoritative: it has the last applied offset and the topic's id on the broker. The
committed offset is for monitoring, and shows whether the group has read before.

``resume`` compares the two and returns the offset to read from. If they are not contiguous, there is a
*break*: a range of missing offsets, which is counted and reported. A gap within the log is no break:
transactions leave markers between records. Only offsets before the log's start were deleted.
"""

from dataclasses import dataclass
from typing import Literal

Cause = Literal[
    "deleted",  # records were deleted before they were read, by retention or by hand
    "remade",  # the topic was deleted and created again
    "cut",  # the log ends before the applied offset: the broker lost its end
    "state_lost",  # the group has committed offsets, but there is no state
]


@dataclass(frozen=True, slots=True)
class AppliedPosition:
    """Up to where a log has been applied.

    applied: the last offset, −1 before any. topic_id: the topic's id on the broker at that time; empty in
    state of earlier releases.
    """

    applied: int = -1
    topic_id: str = ""


@dataclass(frozen=True, slots=True)
class Log:
    """One partition's log on the broker: offsets in [start, end)."""

    start: int
    end: int
    topic_id: str = ""


@dataclass(frozen=True, slots=True)
class LogBreak:
    """A break between the applied offset and the log.

    first, last: the missing offsets, inclusive; last is first − 1 if none is known to be missing. detail: a
    sentence for logs and dead letters.
    """

    cause: Cause
    first: int
    last: int
    detail: str

    @property
    def records(self) -> int:
        """Number of missing offsets."""
        return self.last - self.first + 1


@dataclass(frozen=True, slots=True)
class Start:
    """The offset to read from, the id of its topic, and the break before it, if there is one."""

    position: int
    topic_id: str
    log_break: LogBreak | None = None


def resume(position: AppliedPosition, log: Log, committed: int = 0) -> Start:
    """The offset to resume from. committed: the group's offset; above 0 it has read before."""
    log_break = _break(position, log, committed)
    if log_break is None:
        return Start(max(position.applied + 1, log.start), log.topic_id)
    return Start(log.end if log_break.cause == "cut" else log.start, log.topic_id, log_break)


def _break(position: AppliedPosition, log: Log, committed: int) -> LogBreak | None:
    after = position.applied + 1
    if position == AppliedPosition():
        return _lost_state(log, committed) if committed > 0 else None
    if position.topic_id and position.topic_id != log.topic_id:
        detail = f"the topic was made anew (id {position.topic_id}, now {log.topic_id})"
        return _remade_log(after, log, detail)
    if after > log.end and not position.topic_id:
        detail = f"the log ends at offset {log.end}, before what was applied: the topic was made anew"
        return _remade_log(after, log, detail)
    if after > log.end:
        detail = (
            f"the log ends at offset {log.end} and was applied up to {position.applied}: its end was cut off"
        )
        return LogBreak("cut", log.end, log.end - 1, detail + "; what comes there now is new")
    if after < log.start:
        detail = f"applied up to offset {position.applied}, and the log begins at {log.start}"
        return LogBreak("deleted", after, log.start - 1, detail + ": deleted before it was read")
    return None


def _lost_state(log: Log, committed: int) -> LogBreak:
    detail = (
        f"the group had read up to offset {committed} and there is no state: read again from the log's start"
    )
    return LogBreak("state_lost", 0, log.start - 1, detail)


def _remade_log(after: int, log: Log, detail: str) -> LogBreak:
    detail += f"; what the old log held from offset {after} on is gone, and nobody knows how much that was"
    return LogBreak("remade", 0, log.start - 1, detail)
