"""By when each enrolment's work is due, and whether it is asked of it at all.

A calendar has a date for everybody, and may have others for a section or for one learner. A platform may
give one learner more time, or excuse them from a piece of work. Nobody owes what was due before they came.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from features.coursework import Run
from features.ring import NEVER, Ints

EXCUSED = -1
"""In place of a day: the work is not asked of this learner."""

NO_DATE = 2**31 - 1
"""The day of what has no date."""

PersonalDates = Mapping[str, int]
"""By assessment: the epoch day from which it is late for one learner, or ``EXCUSED``."""


@dataclass(frozen=True, slots=True)
class Dates:
    """due: epoch days from which a deadline has passed, int64; asked: whether the work is, bool.

    Both [deadlines, n], or [deadlines, 1] where all enrolments have the same.
    """

    due: Ints
    asked: NDArray[np.bool_]

    def of(self, places: Ints | slice) -> "Dates":
        """Those of some of the enrolments."""
        alike = self.due.shape[1] == 1
        return self if alike else Dates(self.due[:, places], self.asked[:, places])


def dates_of(
    run: Run,
    enrolled: Ints,
    learners: Sequence[str] = (),
    sections: Sequence[str] = (),
    personal: Sequence[PersonalDates] = (),
) -> Dates:
    """The dates of enrolments of a run.

    enrolled: days of registration, ``NEVER`` where nobody said, [n]. learners, sections: of each, as the
    calendar may name them; personal: what the platform gave each. All [n], or empty where none has any.
    """
    due, asked = run.due[:, None], np.ones((len(run.due), 1), bool)
    own = {
        place: dates
        for place in range(len(enrolled) if run.other_dates or any(personal) else 0)
        if (dates := _own_dates(run, place, learners, sections, personal))
    }
    late_comers = (enrolled != NEVER) & (enrolled > (run.due.min() if len(run.due) else NO_DATE))
    if not own and not late_comers.any():
        return Dates(due, asked)
    due = np.repeat(due, len(enrolled), axis=1)
    for place, dates in own.items():
        for index, assessment in enumerate(run.assessments):
            due[index, place] = dates.get(assessment, due[index, place])
    asked = (due != EXCUSED) & ((enrolled == NEVER) | (due > enrolled))
    return Dates(np.where(due == EXCUSED, NO_DATE, due), asked)


def _own_dates(
    run: Run,
    place: int,
    learners: Sequence[str],
    sections: Sequence[str],
    personal: Sequence[PersonalDates],
) -> PersonalDates:
    """The dates of one enrolment that are not everybody's: what was given to it alone counts first."""
    dates: dict[str, int] = {}
    for kind, names in (("section", sections), ("learner", learners)):
        if names:
            dates |= run.other_dates.get((kind, names[place]), {})
    return dates | dict(personal[place] if personal else {})
