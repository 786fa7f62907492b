"""Which offsets may be committed while nudges of one partition finish in any order. Pure.

A nudge for tomorrow morning must not hold up one for now, so a partition's nudges are under way together
and the committed offset is the first that is not done. What lies behind it and is done is handed out
again after a crash; the receipts know it.
"""


class Offsets:
    """The account of the partitions that are assigned."""

    def __init__(self) -> None:
        self._open: dict[int, set[int]] = {}
        self._next: dict[int, int] = {}
        self._committed: dict[int, int] = {}

    def begin(self, partition: int, offset: int) -> None:
        """A record was handed out; offsets of a partition come in ascending order."""
        self._open.setdefault(partition, set()).add(offset)
        self._next[partition] = offset + 1

    def done(self, partition: int, offset: int) -> None:
        """It needs nothing more. Of a partition that has gone in the meantime it means nothing."""
        self._open.get(partition, set()).discard(offset)

    def drop(self, partition: int) -> None:
        """The partition is no longer ours."""
        for account in (self._open, self._next, self._committed):
            account.pop(partition, None)

    def under_way(self) -> int:
        """Records handed out and not done."""
        return sum(map(len, self._open.values()))

    def committable(self) -> dict[int, int]:
        """Partition → offset to commit, of those where it has moved since the last call of ``committed``."""
        reached = {at: min(self._open.get(at) or {following}) for at, following in self._next.items()}
        return {at: offset for at, offset in reached.items() if self._committed.get(at) != offset}

    def committed(self, offsets: dict[int, int]) -> None:
        """These have been committed."""
        self._committed |= {at: offset for at, offset in offsets.items() if at in self._next}
