"""What goes as one message: a nudge, or those of a digest that are still wanted when it is due.

The nudges of a digest are one learner's, of one channel and one ``send_at``. They stay nudges of their own,
each with its receipt, its feedback and its end; what is claimed, tried and answered is the digest.
"""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from hashlib import blake2b
from typing import Generic, TypeVar

from notifier.intake import Record
from schemas.learner import Channel
from schemas.nudge import Nudge

End = TypeVar("End")


@dataclass(frozen=True, slots=True)
class Parcel:
    """One message's nudges with their records. ``nudge_id`` is what it is claimed by: the nudge's own, or the
    digest's."""

    nudge_id: str
    nudges: tuple[Nudge, ...]
    records: tuple[Record, ...]
    digest: bool = False

    @classmethod
    def of(cls, nudge: Nudge, record: Record) -> "Parcel":
        return cls(nudge.nudge_id, (nudge,), (record,))

    @property
    def channel(self) -> Channel:
        return self.nudges[0].channel

    @property
    def expires_at(self) -> datetime:
        return max(nudge.expires_at for nudge in self.nudges)


def digest_of(nudge: Nudge) -> str:
    """The name of the digest that a nudge goes with: the same for whoever asks, and whenever."""
    place = f"digest:{nudge.learner}:{nudge.channel}:{int(nudge.send_at.timestamp())}"
    return blake2b(place.encode(), digest_size=16).hexdigest()


@dataclass
class Digest(Generic[End]):
    """A digest whose nudges are gathering, by their records: Kafka may hand one out twice. Whoever has the
    ``turn`` acts for all of them, and writes down in ``ended`` what became of each."""

    name: str
    waiting: dict[Record, Nudge] = field(default_factory=dict)
    ended: dict[Record, End] = field(default_factory=dict)
    turn: asyncio.Lock = field(default_factory=asyncio.Lock)

    def parcel(self, wanted: Callable[[Nudge], bool]) -> Parcel:
        """Of those that are there and wanted, each once, the oldest decision first."""
        live = {
            nudge.nudge_id: (nudge, record)
            for record, nudge in self.waiting.items()
            if record not in self.ended and wanted(nudge)
        }
        order = sorted(live.values(), key=lambda one: (one[0].decided_at, one[0].nudge_id))
        return Parcel(self.name, tuple(one for one, _ in order), tuple(one for _, one in order), digest=True)


class Digests(Generic[End]):
    """The digests that are gathering in this process. All of one are in one partition: the learner's."""

    def __init__(self) -> None:
        self._digests: dict[str, Digest[End]] = {}

    @contextmanager
    def joined(self, nudge: Nudge, record: Record) -> Iterator[Digest[End]]:
        """The nudge's digest, with the nudge in it until the end of the block."""
        name = digest_of(nudge)
        digest = self._digests.setdefault(name, Digest(name))
        digest.waiting[record] = nudge
        try:
            yield digest
        finally:
            del digest.waiting[record]
            if not digest.waiting:
                self._digests.pop(name, None)
