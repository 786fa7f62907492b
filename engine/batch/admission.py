"""Admits batches in event time: which records are applied, and where the watermark stands after each.

The watermark after a record is the largest event time so far that the *clock* confirms, minus the allowed
lateness. It depends only on the order of the records, not on how they were batched, so a day closes between
the same two records however often the partition is read.

**The clock.** A closed day stays closed, so no single record may decide how far time has advanced:

* *Live*, the clock is the time at which the broker appended the record. Where the topic has producers'
  timestamps (CreateTime) instead, each is capped at the wall clock at which the record was fetched.
* In a *replay*, the clock is the newest tick. A tick that is ahead of the previous one by more than the
  tolerance is unconfirmed until another record's time is close to it. Before the first tick there is no
  clock, and event times are trusted.

An event ahead of the clock is counted in its day, up to the tolerance; it advances the watermark no further
than the clock.
"""

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, cast

import numpy as np
from numpy.typing import NDArray

from engine.batch.activities import Activities, Activity, epoch_seconds
from engine.batch.decoding import Message, Refusal, dead_letter, decode_events
from engine.batch.records import RecordBatch
from features.event_days import EventDays, event_days
from features.ring import NEVER, OPEN_DAYS, Ints
from schemas.dead_letter import DeadLetter
from schemas.fields import DAY_S, EARLIEST, LATEST

HOUR_S = 3_600
EARLIEST_S, LATEST_S = int(EARLIEST.timestamp()), int(LATEST.timestamp())
"""Range of valid event times. The first event sets the watermark, and every day since then is closed: an
event from a clock that was never set (1970 or 1980) would close ten thousand empty days. The contract refuses
such events; the check is repeated here for events decoded without it (``activities``)."""

TIME_FIELDS = {"graded": "graded_at"}
"""The field with the event time, by type of message, where it is not ``occurred_at``."""

FAST_S, SLOW_S = 300, HOUR_S
"""Live: how far a source's clock may be ahead of or behind the broker's before it counts as wrong."""


@dataclass(frozen=True, slots=True)
class Timing:
    """Event-time settings, in seconds.

    lateness: allowed lateness; a day closes this long after its end. tolerance: how far ahead of the clock an
    event may be. clock: *live* compares event times with the broker's timestamps, *replay* with the source's
    ticks, because the timestamps of replayed records are recent. zone: of the event days, an IANA name.

    Raises:
        ValueError: lateness or tolerance is out of its range, or there is no such zone.
    """

    lateness: int = 6 * 3600
    tolerance: int = 2 * DAY_S
    clock: Literal["live", "replay"] = "live"
    zone: str = "UTC"

    def __post_init__(self) -> None:
        event_days(self.zone)
        longest = (OPEN_DAYS - 1) * DAY_S
        if not 0 <= self.lateness <= longest:
            raise ValueError(
                f"lateness is {self.lateness} s; expected 0 to {longest}, what the ring can hold"
            )
        if not self.tolerance >= 0:
            raise ValueError(f"tolerance is {self.tolerance} s; expected 0 or more")

    @property
    def days(self) -> EventDays:
        """The event days of the zone."""
        return event_days(self.zone)


@dataclass(slots=True)
class AdmittedBatch:
    """Messages of one batch with their event times, to be applied in order from ``position`` on.

    record_indices: index of each message's record in the batch. activities: the activities among the
    messages; others: positions of the other messages. times: event times, epoch seconds, [messages].
    newest: the largest event time that the clock confirms, up to and including each message, [messages].
    newest_tick, unconfirmed_tick: the source's clock and the tick that awaits confirmation, after each
    message, [messages]. dead_letters: of refused records; each is emitted once its offset has been reached.
    clock: 1 where a message's time is ahead of the clock, −1 where it is behind, else 0, [messages].
    letter_days: offset → epoch day of a dead letter by the clock, where there was a clock. unknown: offset →
    fields of a message that are not in the contract.
    """

    batch: RecordBatch
    messages: list[Message | Activity]
    record_indices: list[int]
    activities: Activities
    others: list[int]
    times: Ints
    newest: Ints
    newest_tick: Ints
    unconfirmed_tick: Ints
    dead_letters: list[DeadLetter]
    clock: Ints
    letter_days: dict[int, int]
    unknown: dict[int, tuple[str, ...]]
    position: int = 0

    def offset(self, position: int) -> int:
        """The offset of the message at a position."""
        return self.batch.offsets[self.record_indices[position]]

    def position_reaching(self, limit: int) -> int:
        """The first position from the current one on where ``newest`` reaches ``limit``, epoch seconds."""
        return max(self.position, int(np.searchsorted(self.newest, limit)))

    def first_event_time(self) -> int | None:
        """The first confirmed event time from the current position on, epoch seconds; None without one."""
        times = self.newest[self.position :]
        times = times[times != NEVER]
        return int(times[0]) if len(times) else None

    @property
    def is_done(self) -> bool:
        return self.position >= len(self.messages)

    def pop_dead_letters(self) -> list[DeadLetter]:
        """Dead letters of records before the current position; each is returned once."""
        before = self.batch.last_offset + 1 if self.is_done else self.offset(self.position)
        due = [letter for letter in self.dead_letters if letter.offset < before]
        self.dead_letters = [letter for letter in self.dead_letters if letter.offset >= before]
        return due


@dataclass(slots=True)
class BatchAdmission:
    """Admits the batches of one partition, in offset order.

    newest, newest_tick, unconfirmed_tick: epoch seconds as of the last admitted record, ``NEVER`` before any.
    """

    timing: Timing
    newest: int = NEVER
    newest_tick: int = NEVER
    unconfirmed_tick: int = NEVER

    def admit(self, batch: RecordBatch, applied: int) -> AdmittedBatch:
        """Decode and time a batch, without the records up to and including the offset ``applied``."""
        first_index = bisect_right(batch.offsets, applied)
        decoded = decode_events(batch, first_index)
        messages, record_indices, letters = decoded.messages, decoded.indices, decoded.letters
        activities = Activities.of(messages)
        others = [position for position, message in enumerate(messages) if type(message) is not Activity]
        times = np.empty(len(messages), np.int64)
        times[activities.positions] = activities.times
        times[others] = epoch_seconds(_event_time(messages[position]) for position in others)
        tick_before = self.newest_tick
        ticks = [position for position in others if cast(Message, messages[position])["type"] == "tick"]
        newest_ticks, unconfirmed_ticks = self._follow_source_clock(times, ticks)
        now = self._clock_at(batch, record_indices, times, newest_ticks)
        out_of_range = (times < EARLIEST_S) | (times >= LATEST_S)
        is_replay_tick = np.zeros(len(times), bool)
        is_replay_tick[ticks] = self.timing.clock == "replay"
        too_early = (times > now + self.timing.tolerance) & ~is_replay_tick
        refused = too_early | out_of_range
        letter_days = self._letter_days(batch, letters, record_indices, tick_before, now)
        reachable = self._reachable(times, now, is_replay_tick)
        if refused.any():
            for position in np.flatnonzero(refused).tolist():
                refuse = _range_refusal if out_of_range[position] else self._future_refusal
                refusal = refuse(messages[position])
                letters = [*letters, dead_letter(batch, record_indices[position], refusal)]
                letter_days[batch.offsets[record_indices[position]]] = self.timing.days.day(
                    int(now[position])
                )
            accepted = np.flatnonzero(~refused)
            messages = [messages[position] for position in accepted.tolist()]
            record_indices = [record_indices[position] for position in accepted.tolist()]
            times, now, reachable = times[accepted], now[accepted], reachable[accepted]
            newest_ticks, unconfirmed_ticks = newest_ticks[accepted], unconfirmed_ticks[accepted]
            activities = Activities.of(messages)
            others = [position for position, message in enumerate(messages) if type(message) is not Activity]
        newest = np.maximum(np.maximum.accumulate(reachable), self.newest) if messages else times
        if messages:
            self.newest = int(newest[-1])
        return AdmittedBatch(
            batch=batch,
            messages=messages,
            record_indices=record_indices,
            activities=activities,
            others=others,
            times=times,
            newest=newest,
            newest_tick=newest_ticks,
            unconfirmed_tick=unconfirmed_ticks,
            dead_letters=sorted(letters, key=lambda letter: letter.offset),
            clock=self._clock_skew(times, now),
            letter_days=letter_days,
            unknown={batch.offsets[index]: names for index, names in decoded.unknown.items()},
        )

    def refuse_future(self, batch: RecordBatch, index: int, message: Message) -> Refusal | None:
        """The refusal of a feedback message that is too far ahead of the broker's clock; None if it is valid.

        Live only: such a message would override all that follow until its time. A replay has no clock for
        feedback, since timestamps are recent and the topic has no ticks.
        """
        ahead = message["occurred_at"].timestamp() - int(append_times(batch)[index])
        if self.timing.clock == "replay" or ahead <= self.timing.tolerance:
            return None
        return self._future_refusal(message)

    def _clock_at(
        self, batch: RecordBatch, record_indices: Sequence[int], times: Ints, newest_ticks: Ints
    ) -> Ints:
        """The clock at each message, epoch seconds, [messages].

        Live, the broker's time; in a replay, the newest tick, or the message's own time before the first one.
        """
        if self.timing.clock == "live":
            return append_times(batch)[np.array(record_indices, np.int64)]
        return np.where(newest_ticks == NEVER, times, newest_ticks)

    def _reachable(self, times: Ints, now: Ints, is_replay_tick: NDArray[np.bool_]) -> Ints:
        """The event time up to which each message may move the watermark: its own, at most the clock.

        A tick covers the day that it begins. Events ahead of the clock must fit into the ring's open days.
        """
        open_span = (OPEN_DAYS - 1) * DAY_S - self.timing.lateness
        clock = now if self.timing.clock == "live" else now + DAY_S - 1
        reachable = np.minimum(times, np.maximum(clock, times - open_span))
        unconfirmed = is_replay_tick & (times > now + self.timing.tolerance)
        return np.where(unconfirmed, NEVER, reachable)

    def _follow_source_clock(self, times: Ints, ticks: Sequence[int]) -> tuple[Ints, Ints]:
        """The source's clock and the unconfirmed tick after each message, [messages] each; both are stored.

        times: of all messages. ticks: positions of the ticks among them.
        """
        clock, unconfirmed = self.newest_tick, self.unconfirmed_tick
        clocks, unconfirmed_ticks = np.empty(len(times), np.int64), np.empty(len(times), np.int64)
        start = 0
        for stop in [*ticks, len(times)]:
            confirming = start + self._first_confirming(times[start:stop], unconfirmed)
            clocks[start:confirming], unconfirmed_ticks[start:confirming] = clock, unconfirmed
            if confirming < stop:
                clock, unconfirmed = max(clock, unconfirmed), NEVER
            clocks[confirming:stop], unconfirmed_ticks[confirming:stop] = clock, unconfirmed
            if stop < len(times):
                trusted = clock if clock != NEVER else max(self.newest, self._newest(times[:stop]))
                clock, unconfirmed = self._after_tick(int(times[stop]), clock, unconfirmed, trusted)
                clocks[stop], unconfirmed_ticks[stop] = clock, unconfirmed
            start = stop + 1
        self.newest_tick, self.unconfirmed_tick = clock, unconfirmed
        return clocks, unconfirmed_ticks

    def _first_confirming(self, times: Ints, unconfirmed: int) -> int:
        """Index of the first message that confirms the tick; the number of messages where none does."""
        if unconfirmed == NEVER:
            return len(times)
        near = np.flatnonzero(np.abs(times - unconfirmed) <= self._confirming_distance)
        return int(near[0]) if len(near) else len(times)

    def _after_tick(self, tick: int, clock: int, unconfirmed: int, trusted: int) -> tuple[int, int]:
        """The clock and the unconfirmed tick after a tick. trusted: a confirmed time, ``NEVER`` before any.

        The first record of a partition is trusted.
        """
        if not EARLIEST_S <= tick < LATEST_S:
            return clock, unconfirmed
        if unconfirmed != NEVER and abs(tick - unconfirmed) <= self._confirming_distance:
            clock, unconfirmed, trusted = max(clock, unconfirmed), NEVER, max(trusted, unconfirmed)
        if trusted == NEVER or tick <= trusted + self.timing.tolerance:
            return max(clock, tick), unconfirmed
        return clock, tick

    @property
    def _confirming_distance(self) -> int:
        """The most seconds between an unconfirmed tick and a record that confirms it."""
        return self.timing.tolerance + DAY_S

    def _newest(self, times: Ints) -> int:
        return int(times[times < LATEST_S].max(initial=NEVER))

    def _clock_skew(self, times: Ints, now: Ints) -> Ints:
        """1 for messages ahead of the clock, −1 for those behind it, else 0. A tick covers its whole day."""
        if self.timing.clock == "live":
            return (times > now + FAST_S).astype(np.int64) - (times < now - SLOW_S)
        return (times >= now + DAY_S).astype(np.int64) - (times < now)

    def _letter_days(
        self,
        batch: RecordBatch,
        letters: Sequence[DeadLetter],
        record_indices: Sequence[int],
        tick_before: int,
        now: Ints,
    ) -> dict[int, int]:
        """Offset → epoch day by the clock, of each record that could not be decoded; none before any tick.

        tick_before, now: the clock before the batch, and at each message.
        """
        days = {}
        for letter in letters:
            messages_before = bisect_right(record_indices, letter.offset, key=batch.offsets.__getitem__)
            clock = tick_before if messages_before == 0 else int(now[messages_before - 1])
            index = bisect_right(batch.offsets, letter.offset) - 1
            arrived = int(append_times(batch)[index]) if self.timing.clock == "live" else clock
            if arrived != NEVER:
                days[letter.offset] = self.timing.days.day(arrived)
        return days

    def _future_refusal(self, message: Message | Activity) -> Refusal:
        clock = "the broker's time" if self.timing.clock == "live" else "the source's newest tick"
        hours = self.timing.tolerance / 3600
        detail = f"found {_event_time(message).isoformat()}; expected at most {hours:g} h after {clock}"
        return Refusal("future", _time_field(message), detail)


def append_times(batch: RecordBatch) -> Ints:
    """When each record was appended to the log, epoch seconds, [records].

    That is its timestamp; producers' timestamps are capped at the time of the fetch.
    """
    timestamps = np.array(batch.timestamps, np.int64) // 1000
    if batch.read_at is None:
        return timestamps
    latest = batch.read_at + FAST_S
    return np.where(timestamps < 0, batch.read_at, np.minimum(timestamps, latest))


def _event_time(message: Message | Activity) -> datetime:
    if isinstance(message, Activity):
        return message.occurred_at
    time: datetime = message[_time_field(message)]
    return time


def _range_refusal(message: Message | Activity) -> Refusal:
    time = _event_time(message).isoformat()
    return Refusal(
        "invalid", _time_field(message), f"found {time}; expected a moment from 2000 to before 2100"
    )


def _time_field(message: Message | Activity) -> str:
    """The field that holds the message's event time."""
    if isinstance(message, Activity):
        return "occurred_at"
    return TIME_FIELDS.get(message["type"], "occurred_at")
