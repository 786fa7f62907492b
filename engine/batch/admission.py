"""From a batch to work in event time: which records count, and where the watermark stands at each.

The watermark after a record is the largest event time so far that the *clock* bears out, less the allowed
lateness. It depends on the order of the records alone, not on how they were batched, so a day closes between
the same two records however often the partition is read.

**The clock.** A day that is closed stays closed, so no record alone may say how late it is:

* *Live* it is the time at which the broker appended the record. Where the topic keeps its producers' times
  instead, each counts up to the wall clock at which it was read: nothing was appended later than that.
* In a *replay* it is the newest tick. A tick further ahead of the one before it than the tolerance waits
until
  another record's time comes near it. Before any tick there is no clock, and events are believed.

An event ahead of the clock counts in its day, up to the tolerance; it moves the watermark as far as the
clock.
"""

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, cast

import numpy as np
from numpy.typing import NDArray

from engine.batch.activities import Activities, Activity, seconds_of
from engine.batch.decoding import Message, Refusal, decode_events, letter
from engine.batch.records import RecordBatch
from features.ring import NEVER, OPEN, Ints
from schemas.dead_letter import DeadLetter
from schemas.fields import DAY_S, EARLIEST, LATEST

HOUR_S = 3_600
EARLIEST_S, LATEST_S = int(EARLIEST.timestamp()), int(LATEST.timestamp())
"""A first event sets the watermark, and every day since then is closed: one that bears the zero of a clock
that was never set, 1970 or 1980, would close ten thousand empty ones. The contract refuses it, and here what
is read without it (``activities``)."""

MOMENTS = {"graded": "graded_at"}
"""The field that says when it was, of messages in which it is not ``occurred_at``."""

FAST_S, SLOW_S = 300, HOUR_S
"""Live: how far before or behind the broker's clock a source's may be before it counts as wrong."""


@dataclass(frozen=True, slots=True)
class Timing:
    """How event time is read. Seconds.

    lateness: how long after a moment its events may still come without missing their day's close.
    tolerance: how far ahead of the clock an event may be. clock: *live* compares with the broker's
    timestamp, *replay* with the source's ticks, because the past is in no record's timestamp.
    """

    lateness: int = 6 * 3600
    tolerance: int = 2 * DAY_S
    clock: Literal["live", "replay"] = "live"

    def __post_init__(self) -> None:
        longest = (OPEN - 1) * DAY_S
        if not 0 <= self.lateness <= longest:
            raise ValueError(
                f"lateness is {self.lateness} s; expected 0 to {longest}, what the ring can hold"
            )
        if not self.tolerance >= 0:
            raise ValueError(f"tolerance is {self.tolerance} s; expected 0 or more")


@dataclass(slots=True)
class Work:
    """Messages of one batch with their event times, to be applied in order from ``position`` on.

    activities: those among the messages; others: the positions of the rest. newest: the largest event time
    that the clock bears out, up to and including each message. ticked, doubted: the source's clock after
    each, and the tick that waits for another record to bear it out. letters: refused records, each said when
    the work has come to its offset. clock: 1 where a message's time is ahead of the clock, −1 where it is
    behind it, else 0. letter_days: offset → the day of a letter by the clock, for those that came after it
    began. unknown: offset → the fields of a message that the contract does not know.
    """

    batch: RecordBatch
    messages: list[Message | Activity]
    places: list[int]
    activities: Activities
    others: list[int]
    times: Ints
    newest: Ints
    ticked: Ints
    doubted: Ints
    letters: list[DeadLetter]
    clock: Ints
    letter_days: dict[int, int]
    unknown: dict[int, tuple[str, ...]]
    position: int = 0

    def offset(self, position: int) -> int:
        """The offset of the message at a position."""
        return self.batch.offsets[self.places[position]]

    def until(self, limit: int) -> int:
        """The first position, from here on, at which the newest event time is ``limit`` or later."""
        return max(self.position, int(np.searchsorted(self.newest, limit)))

    def begins(self) -> int | None:
        """The first known event time from here on; None before any."""
        known = self.newest[self.position :]
        known = known[known != NEVER]
        return int(known[0]) if len(known) else None

    @property
    def done(self) -> bool:
        return self.position >= len(self.messages)

    def pop_letters(self) -> list[DeadLetter]:
        """The letters of records before the position, each once."""
        before = self.batch.last_offset + 1 if self.done else self.offset(self.position)
        said = [letter for letter in self.letters if letter.offset < before]
        self.letters = [letter for letter in self.letters if letter.offset >= before]
        return said


@dataclass(slots=True)
class Intake:
    """Takes the batches of one partition in. Remembers the newest event time and tick let through, and the
    tick that nothing has borne out yet."""

    timing: Timing
    newest: int = NEVER
    ticked: int = NEVER
    doubted: int = NEVER

    def admit(self, batch: RecordBatch, applied: int) -> Work:
        """The work of a batch, without the records at or below the offset already applied."""
        first = bisect_right(batch.offsets, applied)
        decoded = decode_events(batch, first)
        messages, places, letters = decoded.messages, decoded.places, decoded.letters
        own = Activities.of(messages)
        others = [at for at, message in enumerate(messages) if type(message) is not Activity]
        times = np.empty(len(messages), np.int64)
        times[own.positions] = own.times
        times[others] = seconds_of(_moment(messages[at]) for at in others)
        before = self.ticked
        ticks = [at for at in others if cast(Message, messages[at])["type"] == "tick"]
        ticked, doubted = self._ticked(times, ticks)
        now = self._now(batch, places, times, ticked)
        nameless = (times < EARLIEST_S) | (times >= LATEST_S)
        waiting = np.zeros(len(times), bool)
        waiting[ticks] = self.timing.clock == "replay"
        early = (times > now + self.timing.tolerance) & ~waiting
        refused = early | nameless
        letter_days = self._letter_days(batch, letters, places, before, now)
        reach = self._reach(times, now, waiting)
        if refused.any():
            for at in np.flatnonzero(refused).tolist():
                why = _no_day(messages[at]) if nameless[at] else self._refusal(messages[at])
                letters = [*letters, letter(batch, places[at], why)]
                letter_days[batch.offsets[places[at]]] = int(now[at]) // DAY_S
            kept = np.flatnonzero(~refused)
            messages, places = [messages[at] for at in kept.tolist()], [places[at] for at in kept.tolist()]
            times, now, reach = times[kept], now[kept], reach[kept]
            ticked, doubted = ticked[kept], doubted[kept]
            own = Activities.of(messages)
            others = [at for at, message in enumerate(messages) if type(message) is not Activity]
        newest = np.maximum(np.maximum.accumulate(reach), self.newest) if messages else times
        if messages:
            self.newest = int(newest[-1])
        return Work(
            batch=batch,
            messages=messages,
            places=places,
            activities=own,
            others=others,
            times=times,
            newest=newest,
            ticked=ticked,
            doubted=doubted,
            letters=sorted(letters, key=lambda one: one.offset),
            clock=self._apart(times, now),
            letter_days=letter_days,
            unknown={batch.offsets[place]: names for place, names in decoded.unknown.items()},
        )

    def early(self, batch: RecordBatch, place: int, message: Message) -> Refusal | None:
        """Why feedback may not count: live, a time ahead of the broker's would hold for all that comes
        before it.

        In a replay the past is in no record's timestamp, and feedback comes without ticks.
        """
        ahead = message["occurred_at"].timestamp() - int(appended(batch)[place])
        if self.timing.clock == "replay" or ahead <= self.timing.tolerance:
            return None
        return self._refusal(message)

    def _now(self, batch: RecordBatch, places: Sequence[int], instants: Ints, ticked: Ints) -> Ints:
        """The clock at each message: the broker's time, or the source's newest tick; the message's own
        time before any tick."""
        if self.timing.clock == "live":
            return appended(batch)[np.array(places, np.int64)]
        return np.where(ticked == NEVER, instants, ticked)

    def _reach(self, times: Ints, now: Ints, waiting: NDArray[np.bool_]) -> Ints:
        """How far each message may move the watermark: to its time, or to the clock where it is ahead of
        that.

        A tick holds for the day it begins. Whatever is ahead of the clock, the ring must have a place for it.
        """
        room = (OPEN - 1) * DAY_S - self.timing.lateness
        clock = now if self.timing.clock == "live" else now + DAY_S - 1
        reach = np.minimum(times, np.maximum(clock, times - room))
        unborne = waiting & (times > now + self.timing.tolerance)
        return np.where(unborne, NEVER, reach)

    def _ticked(self, times: Ints, ticks: Sequence[int]) -> tuple[Ints, Ints]:
        """The source's clock at each message, itself included, and the tick that waits to be borne out.

        times: of all messages. ticks: positions of those that are ticks. Remembers both.
        """
        clock, doubted = self.ticked, self.doubted
        clocks, waits = np.empty(len(times), np.int64), np.empty(len(times), np.int64)
        start = 0
        for stop in [*ticks, len(times)]:
            borne_out = self._bearing_out(times[start:stop], doubted)
            clocks[start : start + borne_out], waits[start : start + borne_out] = clock, doubted
            if start + borne_out < stop:
                clock, doubted = max(clock, doubted), NEVER
            clocks[start + borne_out : stop], waits[start + borne_out : stop] = clock, doubted
            if stop < len(times):
                known = clock if clock != NEVER else max(self.newest, self._newest(times[:stop]))
                clock, doubted = self._after_tick(int(times[stop]), clock, doubted, known)
                clocks[stop], waits[stop] = clock, doubted
            start = stop + 1
        self.ticked, self.doubted = clock, doubted
        return clocks, waits

    def _bearing_out(self, times: Ints, doubted: int) -> int:
        """The first of some messages that bears the doubted tick out; their number where none does."""
        if doubted == NEVER:
            return len(times)
        near = np.flatnonzero(np.abs(times - doubted) <= self._near)
        return int(near[0]) if len(near) else len(times)

    def _after_tick(self, tick: int, clock: int, doubted: int, known: int) -> tuple[int, int]:
        """The clock and the doubted tick after a tick; known: a time that is not in doubt. The first record
        of all is believed."""
        if not EARLIEST_S <= tick < LATEST_S:
            return clock, doubted
        if doubted != NEVER and abs(tick - doubted) <= self._near:
            clock, doubted, known = max(clock, doubted), NEVER, max(known, doubted)
        if known == NEVER or tick <= known + self.timing.tolerance:
            return max(clock, tick), doubted
        return clock, tick

    @property
    def _near(self) -> int:
        """Seconds between a doubted tick and a record that bears it out."""
        return self.timing.tolerance + DAY_S

    def _newest(self, times: Ints) -> int:
        return int(times[times < LATEST_S].max(initial=NEVER))

    def _apart(self, instants: Ints, now: Ints) -> Ints:
        """Which messages are ahead of the clock (1) or behind it (−1). A tick holds for the day it begins."""
        if self.timing.clock == "live":
            return (instants > now + FAST_S).astype(np.int64) - (instants < now - SLOW_S)
        return (instants >= now + DAY_S).astype(np.int64) - (instants < now)

    def _letter_days(
        self,
        batch: RecordBatch,
        letters: Sequence[DeadLetter],
        places: Sequence[int],
        before: int,
        now: Ints,
    ) -> dict[int, int]:
        """The day by the clock of each record that could not be read; none before any tick.

        before, now: the clock before the batch, and at each message.
        """
        found = {}
        for one in letters:
            at = bisect_right(places, one.offset, key=batch.offsets.__getitem__)
            clock = before if at == 0 else int(now[at - 1])
            place = bisect_right(batch.offsets, one.offset) - 1
            moment = int(appended(batch)[place]) if self.timing.clock == "live" else clock
            if moment != NEVER:
                found[one.offset] = moment // DAY_S
        return found

    def _refusal(self, message: Message | Activity) -> Refusal:
        clock = "the broker's time" if self.timing.clock == "live" else "the source's newest tick"
        hours = self.timing.tolerance / 3600
        detail = f"found {_moment(message).isoformat()}; expected at most {hours:g} h after {clock}"
        return Refusal("future", _field(message), detail)


def appended(batch: RecordBatch) -> Ints:
    """When each record came to the broker, epoch seconds [n], as far as that can be known: the timestamp; no
    later than the moment of reading where that is the producer's."""
    told = np.array(batch.timestamps, np.int64) // 1000
    if batch.read_at is None:
        return told
    latest = batch.read_at + FAST_S
    return np.where(told < 0, batch.read_at, np.minimum(told, latest))


def _moment(message: Message | Activity) -> datetime:
    if isinstance(message, Activity):
        return message.occurred_at
    moment: datetime = message[_field(message)]
    return moment


def _no_day(message: Message | Activity) -> Refusal:
    found = _moment(message).isoformat()
    return Refusal("invalid", _field(message), f"found {found}; expected a moment from 2000 to before 2100")


def _field(message: Message | Activity) -> str:
    """The field that says when it was."""
    return "occurred_at" if isinstance(message, Activity) else MOMENTS.get(message["type"], "occurred_at")
