"""Fault injection: what a source with a broken tracker would have sent.

``with_breakdowns`` turns a healthy stream into the one that would have arrived. Only activity is affected:
facts come from the platform's records. Messages keep their position in the stream, that of their arrival,
so that a wrong clock shows as one.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Literal
from zlib import crc32

import orjson

from schemas.activity import ACTIVITY_KINDS
from sources.stream import SourceMessage, instant

Fault = Literal[
    "cut",  # nothing arrives
    "repeat",  # everything arrives twice
    "skew",  # by a clock that is wrong by `shift_s`
    "garble",  # with a kind that is not in the contract
    "strip",  # without object and duration
]


@dataclass(frozen=True, slots=True)
class Breakdown:
    """A fault, the source that has it, and when: epoch seconds, half-open [since, until).

    Empty `source`, `course_run` or `kind` match all. A `share` of the records is affected, selected by the
    hash of the event id, so that every run affects the same ones.
    """

    fault: Fault
    since: int
    until: int
    source: str = ""
    course_run: str = ""
    kind: str = ""
    share: float = 1.0
    shift_s: int = 0

    def __post_init__(self) -> None:
        """Check the fields.

        Raises:
            ValueError: a field is invalid; the message names it, its value and what was expected.
        """
        if not self.since < self.until:
            raise ValueError(f"until: {self.until}, expected more than since, {self.since}")
        if not 0 < self.share <= 1:
            raise ValueError(f"share: {self.share}, expected a share above 0 and up to 1")
        if self.kind and self.kind not in ACTIVITY_KINDS:
            raise ValueError(f"kind: {self.kind!r}, expected one of {', '.join(ACTIVITY_KINDS)}")
        if (self.fault == "skew") != (self.shift_s != 0):
            raise ValueError(f"shift_s: {self.shift_s}, expected a number of seconds for a skew, else 0")

    def hits(self, message: dict[str, Any]) -> bool:
        """Whether an activity that arrives within [since, until) is affected."""
        filters = (("source", self.source), ("course_run", self.course_run), ("kind", self.kind))
        if not all(not value or message.get(name) == value for name, value in filters):
            return False
        return crc32(message["event_id"].encode()) < self.share * 2**32


def with_breakdowns(
    stream: Iterable[SourceMessage], breakdowns: Iterable[Breakdown]
) -> Iterator[SourceMessage]:
    """What arrives of `stream`, given the breakdowns."""
    configured = tuple(breakdowns)
    for source_message in stream:
        current = [
            breakdown
            for breakdown in configured
            if breakdown.since <= source_message.occurred_at < breakdown.until
        ]
        if not current or source_message.broadcast:
            yield source_message
            continue
        message = orjson.loads(source_message.value)
        hitting = [
            breakdown for breakdown in current if message["type"] == "activity" and breakdown.hits(message)
        ]
        if any(breakdown.fault == "cut" for breakdown in hitting):
            continue
        for breakdown in hitting:
            _apply_fault(message, breakdown, source_message.occurred_at)
        arrived = source_message._replace(value=orjson.dumps(message)) if hitting else source_message
        yield arrived
        if any(breakdown.fault == "repeat" for breakdown in hitting):
            yield arrived


def _apply_fault(message: dict[str, Any], breakdown: Breakdown, timestamp: int) -> None:
    match breakdown.fault:
        case "skew":
            message["occurred_at"] = instant(timestamp + breakdown.shift_s)
        case "garble":
            message["kind"] = "kind_" + message["kind"]
        case "strip":
            message.pop("object", None)
            message.pop("duration_s", None)
