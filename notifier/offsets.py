"""Tracks which offsets may be committed while the nudges of a partition finish in any order. Pure.

A nudge for tomorrow morning must not block one for now, so a partition's nudges are in flight together and
the committed offset is the first that is not done. Later ones that are done are consumed again after a crash;
their receipts show that they are done.
"""


class Offsets:
    """The offsets in flight of the assigned partitions."""

    def __init__(self) -> None:
        self._open: dict[int, set[int]] = {}
        self._next: dict[int, int] = {}
        self._committed: dict[int, int] = {}

    def begin(self, partition: int, offset: int) -> None:
        """Add a record's offset; those of a partition come in ascending order."""
        self._open.setdefault(partition, set()).add(offset)
        self._next[partition] = offset + 1

    def done(self, partition: int, offset: int) -> None:
        """Mark an offset as done; ignored for a partition that was revoked meanwhile."""
        self._open.get(partition, set()).discard(offset)

    def drop(self, partition: int) -> None:
        """Forget a revoked partition."""
        for by_partition in (self._open, self._next, self._committed):
            by_partition.pop(partition, None)

    def in_flight(self) -> int:
        """The number of records that are not done."""
        return sum(map(len, self._open.values()))

    def committable(self) -> dict[int, int]:
        """Partition → offset to commit, where it has changed since the last call of ``committed``."""
        reached = {
            partition: min(self._open.get(partition) or {following})
            for partition, following in self._next.items()
        }
        return {
            partition: offset
            for partition, offset in reached.items()
            if self._committed.get(partition) != offset
        }

    def committed(self, offsets: dict[int, int]) -> None:
        """Note that these offsets have been committed."""
        self._committed |= {
            partition: offset for partition, offset in offsets.items() if partition in self._next
        }
