"""The components that the console is assembled from."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from console.ports import Directory, Effects, Outbox, WhatIf, Wording
from console.readers import Readers

Clock = Callable[[], datetime]


def wall_clock() -> datetime:
    """Now, in UTC."""
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class Parts:
    """The components of the console. See :mod:`console.ports` for those that may be None.

    replay: the store holds a past (or simulated) term, so that "now" is its newest day and not today.
    """

    readers: Readers
    directory: Directory | None = None
    outbox: Outbox | None = None
    what_if: WhatIf | None = None
    effects: Effects | None = None
    wording: Wording | None = None
    replay: bool = False
    clock: Clock = wall_clock
