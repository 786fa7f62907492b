"""Breaks a source's tracker from one day to another: what a platform that fails would have sent.

``broken`` takes a stream that is well and gives what would have arrived. Only activity breaks: facts come
from the platform's records. Messages keep their place in the stream, that of their arrival, so that a wrong
clock shows as one.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Literal
from zlib import crc32

import orjson

from schemas.activity import ACTIVITY_KINDS
from sources.stream import Published, instant

Break = Literal[
    "cut",  # nothing arrives
    "repeat",  # everything arrives twice
    "skew",  # by a clock that is wrong by `shift_s`
    "garble",  # with a kind that nobody knows
    "strip",  # without object and duration
]


@dataclass(frozen=True, slots=True)
class Breakdown:
    """What breaks, of which source, and when. Moments are epoch seconds, half-open [since, until).

    Empty `source`, `course_run` or `kind`: all of them. `share` of the records are hit, drawn by their
    event id, so that the same ones are whenever it runs.
    """

    what: Break
    since: int
    until: int
    source: str = ""
    course_run: str = ""
    kind: str = ""
    share: float = 1.0
    shift_s: int = 0

    def __post_init__(self) -> None:
        """:raises ValueError: naming the field, its value and what was expected"""
        if not self.since < self.until:
            raise ValueError(f"until: {self.until}, expected more than since, {self.since}")
        if not 0 < self.share <= 1:
            raise ValueError(f"share: {self.share}, expected a share above 0 and up to 1")
        if self.kind and self.kind not in ACTIVITY_KINDS:
            raise ValueError(f"kind: {self.kind!r}, expected one of {', '.join(ACTIVITY_KINDS)}")
        if (self.what == "skew") != (self.shift_s != 0):
            raise ValueError(f"shift_s: {self.shift_s}, expected a number of seconds for a skew, else 0")

    def hits(self, message: dict[str, Any]) -> bool:
        """Whether an activity that arrives in time is among those that break."""
        wanted = (("source", self.source), ("course_run", self.course_run), ("kind", self.kind))
        if not all(not value or message.get(name) == value for name, value in wanted):
            return False
        return crc32(message["event_id"].encode()) < self.share * 2**32


def broken(stream: Iterable[Published], breakdowns: Iterable[Breakdown]) -> Iterator[Published]:
    """What arrives of a stream."""
    wanted = tuple(breakdowns)
    for published in stream:
        now = [one for one in wanted if one.since <= published.occurred_at < one.until]
        if not now or published.broadcast:
            yield published
            continue
        message = orjson.loads(published.value)
        hit = [one for one in now if message["type"] == "activity" and one.hits(message)]
        if any(one.what == "cut" for one in hit):
            continue
        for one in hit:
            _break(message, one, published.occurred_at)
        arrives = published._replace(value=orjson.dumps(message)) if hit else published
        yield arrives
        if any(one.what == "repeat" for one in hit):
            yield arrives


def _break(message: dict[str, Any], breakdown: Breakdown, at: int) -> None:
    match breakdown.what:
        case "skew":
            message["occurred_at"] = instant(at + breakdown.shift_s)
        case "garble":
            message["kind"] = "kind_" + message["kind"]
        case "strip":
            message.pop("object", None)
            message.pop("duration_s", None)
