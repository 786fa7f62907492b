"""What a processor goes by, as one value: event time, risk levels, the nudge policy."""

from dataclasses import dataclass, field

from engine.batch.admission import Timing
from nudges.levels import LevelSettings
from nudges.policy import Policy


@dataclass(frozen=True, slots=True)
class Rules:
    """What a processor goes by."""

    timing: Timing = field(default_factory=Timing)
    levels: LevelSettings = field(default_factory=LevelSettings)
    policy: Policy = field(default_factory=Policy)
    nudges_delivered: bool = True
    """Whether nudges reach learners, so that training must know who was left alone."""
