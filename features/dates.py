"""When each enrolment's work is due, and whether it is required at all.

A calendar has a date for everybody, and may have others for a section or for one learner. A platform may
give one learner more time, or excuse them from a piece of work. Work that was due before the registration is
not required.

A deadline may also be so many days after each learner's own start, as in a run without an end.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from features.coursework import Run
from features.ring import NEVER, Ints

Span = tuple[int, int]
"""The first epoch day of a time, and the first one after it; that is ``NO_DATE`` where it has no end."""

EXCUSED = -1
"""Instead of a day: the work is not required of this learner."""

NO_DATE = 2**31 - 1
"""The day of work without a date."""

PersonalDates = Mapping[str, int]
"""Assessment → first epoch day after one learner's own deadline, or ``EXCUSED``."""


@dataclass(frozen=True, slots=True)
class Dates:
    """Deadlines of enrolments of a run.

    due: the first epoch day after each deadline, int64; required: whether the work is, bool. Both
    [deadlines, n], or [deadlines, 1] if all enrolments have the same.
    """

    due: Ints
    required: NDArray[np.bool_]

    def select(self, indices: Ints | slice) -> "Dates":
        """The dates of some of the enrolments."""
        is_shared = self.due.shape[1] == 1
        return self if is_shared else Dates(self.due[:, indices], self.required[:, indices])


def own_starts(run: Run, enrolled: Ints, first_active: Ints) -> Ints:
    """The day on which each learner's own clock starts: that of the registration, without one of the first
    activity; not before the run's start. ``NEVER`` where neither is known. All [n]."""
    begun = np.where(enrolled == NEVER, first_active, enrolled)
    return np.where(begun == NEVER, NEVER, np.maximum(begun, run.start)).astype(np.int64)


def dates_of(
    run: Run,
    enrolled: Ints,
    learners: Sequence[str] = (),
    sections: Sequence[str] = (),
    personal: Sequence[PersonalDates] = (),
    starts: Ints | None = None,
    pauses: Sequence[Sequence[Span]] = (),
) -> Dates:
    """The dates of enrolments of a run.

    enrolled: days of registration, ``NEVER`` if not known, [n]. learners, sections: their names, as in the
    calendar; personal: dates given to each. All [n], or empty if none has any. starts: of their own clocks,
    [n] (:func:`own_starts`); by the registration alone if left out. pauses: of each, in order; [n], or
    empty. A deadline that falls into a pause is due as long after it as it lay after its begin.
    """
    due, required = run.due[:, None], np.ones((len(run.due), 1), bool)
    starts = own_starts(run, enrolled, enrolled) if starts is None else starts
    has_others = run.has_other_dates or any(personal)
    own = {
        index: dates
        for index in range(len(enrolled) if has_others else 0)
        if (dates := _own_dates(run, index, int(starts[index]), learners, sections, personal))
    }
    is_late_joiner = (enrolled != NEVER) & (enrolled >= (run.due.min() if len(run.due) else NO_DATE))
    if not own and not run.is_relative.any() and not is_late_joiner.any() and not any(pauses):
        return Dates(due, required)
    due = np.repeat(due, len(enrolled), axis=1)
    for row in np.flatnonzero(run.is_relative).tolist():
        due[row] = np.where(starts == NEVER, NO_DATE, starts + due[row])
    for index, dates in own.items():
        for row, assessment in enumerate(run.assessments):
            due[row, index] = dates.get(assessment, due[row, index])
    for index, spans in enumerate(pauses):
        for since, until in spans:
            inside = (due[:, index] > since) & (due[:, index] <= until)
            moved = NO_DATE if until == NO_DATE else due[:, index] + until - since
            due[:, index] = np.where(inside, moved, due[:, index])
    required = (due != EXCUSED) & ((enrolled == NEVER) | (due > enrolled))
    return Dates(np.where(due == EXCUSED, NO_DATE, due), required)


def _own_dates(
    run: Run,
    index: int,
    start: int,
    learners: Sequence[str],
    sections: Sequence[str],
    personal: Sequence[PersonalDates],
) -> PersonalDates:
    """The dates of one enrolment that differ from the run's; the most personal one counts."""
    dates: dict[str, int] = {}
    for kind, names in (("section", sections), ("learner", learners)):
        if names:
            dates |= run.other_dates.get((kind, names[index]), {})
            relative = run.other_relative.get((kind, names[index]), {})
            dates |= {name: NO_DATE if start == NEVER else start + days for name, days in relative.items()}
    return dates | dict(personal[index] if personal else {})
