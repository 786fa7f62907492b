"""When a runner does what: the intervals and bounds that settings become."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Pace:
    """When a runner does what. Seconds, except where named.

    checkpoint: how long effects may wait for their ack. barrier: how long a live partition waits for a
    day package before it goes on with the last one; None waits for ever, as replays must. idle: after how
    long without events the wall clock moves a live partition's watermark. backlog: records that may wait
    before the partition is no longer fetched. ahead: of these, records that may be decoded already.
    """

    checkpoint: float = 5.0
    barrier: float | None = None
    idle: float | None = None
    backlog: int = 12_000
    ahead: int = 4_000
