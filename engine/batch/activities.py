"""A fast msgspec decoder for activity events: the hot path's form of ``schemas.activity``.

The contract is the pydantic model. This decoder takes a third of its time and accepts a subset of it: a
record that it cannot decode, for whatever reason, is validated by the contract. It may therefore refuse
valid records (an unknown field, a repeated field whose first value is invalid, a number written as ``2.0``,
a time as epoch seconds), but never accept invalid ones. Tests compare its fields with the contract's, and
check with records of all kinds that whatever it decodes the contract decodes to the same message.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from operator import attrgetter
from typing import Annotated, Any, Literal

import msgspec
import numpy as np
from numpy.typing import NDArray

from features.ring import Ints
from schemas.activity import ACTIVITY_KINDS, ActivityKind, Actor
from schemas.fields import DAY_S
from schemas.quality import UNNAMED
from schemas.roles import Role

EPOCH = datetime.fromtimestamp(0, UTC)
KIND_INDEX = {kind: index for index, kind in enumerate(ACTIVITY_KINDS)}

Id = Annotated[str, msgspec.Meta(min_length=1, max_length=128)]
Platform = Annotated[str, msgspec.Meta(pattern=r"^[a-z0-9][a-z0-9._-]{0,31}\Z")]  # $ would allow a newline
Fraction = Annotated[float, msgspec.Meta(ge=0.0, le=1.0)]


class Activity(msgspec.Struct, forbid_unknown_fields=True, kw_only=True, gc=False):
    """An activity event.

    A time with more than six decimals is rounded here and truncated by the contract; the second is the same.
    """

    type: Literal["activity"]
    version: Literal[1, 2] = 1
    event_id: Id
    learner: Id
    course_run: Id
    kind: ActivityKind
    occurred_at: Annotated[datetime, msgspec.Meta(tz=True)]
    object: Id | None = None
    duration_s: Annotated[float, msgspec.Meta(ge=0.0, le=86_400.0)] | None = None
    score: Fraction | None = None
    progress: Fraction | None = None
    session: Id | None = None
    count: Annotated[int, msgspec.Meta(ge=1, le=100_000)] = 1
    source: Id = UNNAMED
    role: Role | None = None
    actor: Actor = "learner"
    platform: Platform | None = None

    @classmethod
    def of(cls, message: Mapping[str, Any]) -> "Activity":
        """The activity of a message that the contract has validated."""
        return cls(**message)


_ROUNDED_UP = b".999999"
"""Times with more nines would be rounded up to the next second here, unlike in the contract."""

_decode = msgspec.json.Decoder(Activity).decode


def decode_activities(values: Sequence[bytes]) -> list[Activity | None]:
    """Decode records, in order; None where the contract has to validate the record."""
    activities: list[Activity | None] = []
    add = activities.append
    for value in values:
        try:
            add(_decode(value))
        except (msgspec.DecodeError, ValueError):
            add(None)
    if _ROUNDED_UP in b"".join(values):
        return [
            None if _ROUNDED_UP in value else activity
            for value, activity in zip(values, activities, strict=True)
        ]
    return activities


_columns = attrgetter(
    *("event_id", "learner", "course_run", "kind", "occurred_at", "object", "duration_s", "progress"),
    *("count", "source", "role", "actor"),
)


def _role_name(role: str | None, actor: str) -> str:
    return actor if actor == "system" else role or ""


def epoch_seconds(times: Iterable[datetime]) -> Ints:
    """Epoch seconds, rounded down, [n]; takes a third less time than ``int(timestamp())``."""
    since = [time - EPOCH for time in times]
    return np.array([delta.days * DAY_S + delta.seconds for delta in since], np.int64)


@dataclass(frozen=True, slots=True)
class Activities:
    """Activities as columns, all of the same length.

    positions: position of each among the messages of its batch, ascending. times: epoch seconds. seconds:
    time spent, 0 where it is not given; untimed: where it is not given. is_work: submissions, and activities
    that report progress or a role; these are facts too. is_other: activities of other roles than learners, or
    of machines; roles: their role, "system" for machines.
    """

    positions: Ints
    times: Ints
    ids: tuple[str, ...]
    enrolments: tuple[tuple[str, str], ...]
    kinds: Ints
    items: tuple[str | None, ...]
    clicks: Ints
    seconds: Ints
    untimed: NDArray[np.bool_]
    sources: tuple[str, ...]
    is_work: NDArray[np.bool_]
    is_other: NDArray[np.bool_]
    roles: tuple[str, ...]

    @classmethod
    def of(cls, messages: Sequence[Activity | Any]) -> "Activities":
        """The activities among the messages of a batch."""
        positions = [position for position, message in enumerate(messages) if type(message) is Activity]
        selected = (
            messages if len(positions) == len(messages) else [messages[position] for position in positions]
        )
        columns = tuple(zip(*map(_columns, selected), strict=True)) or ((),) * 12
        ids, learners, runs, names, times, items, durations, progress, counts, sources, roles, actors = (
            columns
        )
        kinds = np.array([KIND_INDEX[name] for name in names], np.int64)
        is_work = kinds == KIND_INDEX["submission"]
        if progress.count(None) < len(progress):
            is_work |= np.array([value is not None for value in progress])
        is_other = np.zeros(len(selected), bool)
        if roles.count(None) < len(roles) or actors.count("learner") < len(actors):
            is_other = np.array(
                [
                    role not in (None, "learner") or actor != "learner"
                    for role, actor in zip(roles, actors, strict=True)
                ]
            )
            is_work |= np.array([role is not None for role in roles])
        seconds, untimed = np.zeros(len(selected), np.int64), np.ones(len(selected), bool)
        if durations.count(None) < len(durations):
            untimed = np.array([value is None for value in durations])
            seconds = np.array([int(value or 0) for value in durations])
        return cls(
            positions=np.array(positions, np.int64),
            times=epoch_seconds(times),
            ids=ids,
            enrolments=tuple(zip(learners, runs, strict=True)),
            kinds=kinds,
            items=items,
            clicks=np.array(counts, np.int64),
            seconds=seconds,
            untimed=untimed,
            sources=sources,
            is_work=is_work,
            is_other=is_other,
            roles=tuple(_role_name(role, actor) for role, actor in zip(roles, actors, strict=True))
            if is_other.any()
            else ("",) * len(selected),
        )

    def between(self, start: int, stop: int) -> "Activities":
        """The activities at positions in [start, stop)."""
        first, last = np.searchsorted(self.positions, (start, stop)).tolist()
        if last - first == len(self.ids):
            return self
        part = slice(first, last)
        return Activities(*(getattr(self, name)[part] for name in self.__slots__))

    def without(self, positions: Sequence[int]) -> "Activities":
        """The activities at all other positions."""
        remaining = np.flatnonzero(~np.isin(self.positions, positions))
        columns: dict[str, Any] = {name: getattr(self, name) for name in self.__slots__}
        for name, column in columns.items():
            whole = isinstance(column, np.ndarray)
            columns[name] = (
                column[remaining] if whole else tuple(column[index] for index in remaining.tolist())
            )
        return Activities(**columns)
