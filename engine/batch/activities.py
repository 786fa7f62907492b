"""Activity events, read fast: the hot path's form of ``schemas.activity``.

The contract is pydantic's. What stands here reads the same events in a third of the time, and no others: a
record that it will not take, for whatever reason, is given to the contract, which takes it or says why not.
So it may only refuse too much: an unknown field, a repeated one with a wrong value first, a number written
as ``2.0``, a time as epoch seconds. Tests compare its fields with the contract's, and with records of all
kinds that whatever is read here the contract reads too, as the same.
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
KIND_INDEX = {kind: place for place, kind in enumerate(ACTIVITY_KINDS)}

Id = Annotated[str, msgspec.Meta(min_length=1, max_length=128)]
Fraction = Annotated[float, msgspec.Meta(ge=0.0, le=1.0)]


class Activity(msgspec.Struct, forbid_unknown_fields=True, kw_only=True, gc=False):
    """An activity event. A time with more than six decimals is rounded here and cut by the contract: the
    second is the same."""

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

    @classmethod
    def of(cls, message: Mapping[str, Any]) -> "Activity":
        """One that the contract has read."""
        return cls(**message)


_ROUNDED_UP = b".999999"
"""More nines would be the next second here, and are not in the contract."""

_decode = msgspec.json.Decoder(Activity).decode


def read(values: Sequence[bytes]) -> list[Activity | None]:
    """The activities among records, in their places; None where the contract has to look."""
    found: list[Activity | None] = []
    add = found.append
    for value in values:
        try:
            add(_decode(value))
        except (msgspec.DecodeError, ValueError):
            add(None)
    if _ROUNDED_UP in b"".join(values):
        return [None if _ROUNDED_UP in value else one for value, one in zip(values, found, strict=True)]
    return found


_columns = attrgetter(
    *("event_id", "learner", "course_run", "kind", "occurred_at", "object", "duration_s", "progress"),
    *("count", "source", "role", "actor"),
)


def _role(role: str | None, actor: str) -> str:
    return actor if actor == "system" else role or ""


def seconds_of(moments: Iterable[datetime]) -> Ints:
    """Epoch seconds, rounded down, [n]; in a third less time than ``int(timestamp())``."""
    since = [moment - EPOCH for moment in moments]
    return np.array([one.days * DAY_S + one.seconds for one in since], np.int64)


@dataclass(frozen=True, slots=True)
class Activities:
    """Activities column by column, all of one length.

    positions: where each is among the messages of its batch, ascending. times: epoch seconds. seconds: of
    time spent; untimed: which do not tell. works: which are a submission, or tell progress or a role, so that
    they are facts too. others: which are no learner's: of another role, or of a machine; roles: which it was,
    of those.
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
    works: NDArray[np.bool_]
    others: NDArray[np.bool_]
    roles: tuple[str, ...]

    @classmethod
    def of(cls, messages: Sequence[Activity | Any]) -> "Activities":
        """The activities among the messages of a batch."""
        chosen = [at for at, message in enumerate(messages) if type(message) is Activity]
        own = messages if len(chosen) == len(messages) else [messages[at] for at in chosen]
        columns = tuple(zip(*map(_columns, own), strict=True)) or ((),) * 12
        ids, learners, runs, names, moments, items, durations, progress, counts, sources, roles, actors = (
            columns
        )
        kinds = np.array([KIND_INDEX[name] for name in names], np.int64)
        works = kinds == KIND_INDEX["submission"]
        if progress.count(None) < len(progress):
            works |= np.array([one is not None for one in progress])
        others = np.zeros(len(own), bool)
        if roles.count(None) < len(roles) or actors.count("learner") < len(actors):
            others = np.array(
                [
                    role not in (None, "learner") or actor != "learner"
                    for role, actor in zip(roles, actors, strict=True)
                ]
            )
            works |= np.array([role is not None for role in roles])
        seconds, untimed = np.zeros(len(own), np.int64), np.ones(len(own), bool)
        if durations.count(None) < len(durations):
            untimed = np.array([one is None for one in durations])
            seconds = np.array([int(one or 0) for one in durations])
        return cls(
            positions=np.array(chosen, np.int64),
            times=seconds_of(moments),
            ids=ids,
            enrolments=tuple(zip(learners, runs, strict=True)),
            kinds=kinds,
            items=items,
            clicks=np.array(counts, np.int64),
            seconds=seconds,
            untimed=untimed,
            sources=sources,
            works=works,
            others=others,
            roles=tuple(_role(role, actor) for role, actor in zip(roles, actors, strict=True))
            if others.any()
            else ("",) * len(own),
        )

    def between(self, start: int, stop: int) -> "Activities":
        """Those at positions from ``start`` on, before ``stop``."""
        first, last = np.searchsorted(self.positions, (start, stop)).tolist()
        if last - first == len(self.ids):
            return self
        part = slice(first, last)
        return Activities(*(getattr(self, name)[part] for name in self.__slots__))

    def but(self, positions: Sequence[int]) -> "Activities":
        """Those at other positions."""
        kept = np.flatnonzero(~np.isin(self.positions, positions))
        columns: dict[str, Any] = {name: getattr(self, name) for name in self.__slots__}
        for name, column in columns.items():
            whole = isinstance(column, np.ndarray)
            columns[name] = column[kept] if whole else tuple(column[at] for at in kept.tolist())
        return Activities(**columns)
