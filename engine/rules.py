"""The settings of a processor, as one value: event time, risk levels, nudge policy."""

from dataclasses import dataclass, field

from engine.batch.admission import Timing
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
