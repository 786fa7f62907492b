"""Bundles of nudges that are sent as one message: a single nudge, or those of a digest that are still wanted.

The nudges of a digest have the same learner, channel and ``send_at``. Each keeps its own receipt, feedback
and outcome; what is claimed and sent is the digest.
"""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from hashlib import blake2b
from typing import Generic, TypeVar

from notifier.nudge_consumer import Record
from schemas.learner import Channel
from schemas.nudge import Nudge

EndT = TypeVar("EndT")


@dataclass(frozen=True, slots=True)
class Bundle:
    """One message's nudges with their records. ``nudge_id``, by which it is claimed, may be a digest's."""

    nudge_id: str
    nudges: tuple[Nudge, ...]
    records: tuple[Record, ...]
    digest: bool = False

    @classmethod
    def single(cls, nudge: Nudge, record: Record) -> "Bundle":
        return cls(nudge.nudge_id, (nudge,), (record,))

    @property
    def channel(self) -> Channel:
        return self.nudges[0].channel

    @property
    def expires_at(self) -> datetime:
        return max(nudge.expires_at for nudge in self.nudges)


def digest_name(nudge: Nudge) -> str:
    """The name of the digest of a nudge: a hash of learner, channel and sending time."""
    identity = f"digest:{nudge.learner}:{nudge.channel}:{int(nudge.send_at.timestamp())}"
    return blake2b(identity.encode(), digest_size=16).hexdigest()


@dataclass
class Digest(Generic[EndT]):
    """A digest that is being gathered: its nudges by record, since Kafka may deliver a nudge twice. The
    holder of the lock ``turn`` acts for all of them, and stores each one's outcome in ``ended``."""

    name: str
    waiting: dict[Record, Nudge] = field(default_factory=dict)
    ended: dict[Record, EndT] = field(default_factory=dict)
    turn: asyncio.Lock = field(default_factory=asyncio.Lock)

    def bundle(self, wanted: Callable[[Nudge], bool]) -> Bundle:
        """The nudges that are waiting and wanted, each once, the oldest decision first."""
        live = {
            nudge.nudge_id: (nudge, record)
            for record, nudge in self.waiting.items()
            if record not in self.ended and wanted(nudge)
        }
        order = sorted(live.values(), key=lambda pair: (pair[0].decided_at, pair[0].nudge_id))
        nudges, records = tuple(nudge for nudge, _ in order), tuple(record for _, record in order)
        return Bundle(self.name, nudges, records, digest=True)


class Digests(Generic[EndT]):
    """The digests that are being gathered here; all nudges of one are in the same partition."""

    def __init__(self) -> None:
        self._digests: dict[str, Digest[EndT]] = {}

    @contextmanager
    def joined(self, nudge: Nudge, record: Record) -> Iterator[Digest[EndT]]:
        """The nudge's digest; it contains the nudge until the end of the block."""
        name = digest_name(nudge)
        digest = self._digests.setdefault(name, Digest(name))
        digest.waiting[record] = nudge
        try:
            yield digest
        finally:
            del digest.waiting[record]
            if not digest.waiting:
                self._digests.pop(name, None)
