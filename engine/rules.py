"""The settings of a processor, as one value: event time, risk levels, nudge policy."""

from dataclasses import dataclass, field

from engine.batch.admission import Timing
from engine.state.earlier_ids import DEFAULT_CAPACITY
from nudges.levels import LevelSettings
from nudges.policy import Policy


@dataclass(frozen=True, slots=True)
class Rules:
    """The settings of a processor."""

    timing: Timing = field(default_factory=Timing)
    levels: LevelSettings = field(default_factory=LevelSettings)
    policy: Policy = field(default_factory=Policy)
    nudges_delivered: bool = True
    """Whether nudges reach learners; if so, training uses untreated learners only."""
    event_id_capacity: int = DEFAULT_CAPACITY
    """Event ids of earlier days that a partition remembers, to recognise events that are sent again."""
