"""One finding about a sample, and how its parts are worded."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

Level = Literal["missing", "look"]
"""*missing*: estimates would be better with it. *look*: something is unusual, and may be right."""

MAX_NAMED = 3


@dataclass(frozen=True, slots=True)
class Finding:
    """One finding. name: for machines. about: whom it concerns. found: the fact. means: what follows from it;
    where something is missing, what the estimates will not know."""

    level: Level
    name: str
    about: str
    found: str
    means: str


def some(names: Iterable[str], most: int = MAX_NAMED) -> str:
    """The first names in order, and how many more there are."""
    ordered = sorted(names)
    more = len(ordered) - most
    return ", ".join(ordered[:most]) + (f" and {more:,} more" if more > 0 else "")


def learners_are(names: Sequence[str]) -> str:
    """How many learners there are, as the beginning of a sentence about them."""
    return "1 learner is" if len(names) == 1 else f"{len(names):,} learners are"


def percent(part: float, whole: float) -> str:
    """A share as a reader wants it: ``12 %``, ``0.3 %``; never 0 where there is something."""
    share = 100 * part / whole if whole else 0.0
    if 0 < share < 0.1:
        return "less than 0.1 %"
    return f"{share:.0f} %" if share >= 10 or share == 0 else f"{share:.1f} %"


WHOLE_SAMPLE = "the sample"
