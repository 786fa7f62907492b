"""A runner's intervals and limits, as its settings give them."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Pace:
    """Intervals in seconds, limits in records.

    Attributes:
        checkpoint: how long effects may wait for a checkpoint.
        barrier: how long a live partition waits for a day package before it goes on with the last one; None
            waits without limit, as replays must.
        idle: after how long without events the wall clock moves a live partition's watermark; None: never.
        backlog: records that may wait before the partition is no longer fetched.
        ahead: how many of these may be decoded already.
    """

    checkpoint: float = 5.0
    barrier: float | None = None
    idle: float | None = None
    backlog: int = 12_000
    ahead: int = 4_000
