"""Labels: what *lost* means, when a label is final, and which snapshots wait for theirs.

**Lost** means that the learner withdrew or failed. Silence alone is no label: after 14 silent days
87 % come back.

**Labels are delayed until the course run has ended.** A withdrawal is known on its day, but that a
learner stayed is known only at the end. A model that learns each outcome as soon as it is known
gets nothing but losses from the first day of a run to its last, and estimates everybody as lost: on
the Open University data (one pass in time order, weekly estimates on 2014B) that costs .14 of AUC
and puts the mean estimate at .87 where .43 are lost; a small weight for the early losses only
softens it (.853 and .55 with a twentieth). So **a snapshot is held until its course run has
ended**, and the examples of a run are learned together, losses and successes. The price is that a
run teaches nothing about itself, and that a new installation serves the recency prior until its
first run ends (or until earlier runs are replayed).

**Exit** is the second label: whether the learner leaves within ``EXIT_DAYS`` of the snapshot. A
learner who withdrew left on the day of the withdrawal. One who failed after more than
``SILENT_BEFORE_END`` silent days left on the day after the last active day. One who was active at
the end, or passed, did not leave. Whether a silence lasted is known only at the end of the run, so
this label waits for it too.

**If no result is ever recorded**, the silence horizon decides: ``SILENCE_HORIZON`` days after the
end, an enrolment that was silent for more than ``SILENT_BEFORE_END`` days before the end is lost
(the evaluation dates the exit of silent failures in the same way; 75 % of failures are silent). The
others are censored: they are not learned from. Days on which a tracker was broken do not count as
silence: the caller moves the last activity forward by their number.

**A run without an end** has no last day to wait for, and outcomes that nobody reports. In it *lost* means not
active for as long as the platform states, its *horizon* (``inactive_after_days`` of the calendar): of the
snapshot of a day, on none of the days of the horizon, that day included. Who withdrew or failed within it is
lost too; who passed is not. **Exit** is that such a silence, which goes on to the day on which the label
matures, begins within ``EXIT_DAYS``. So all examples of a day mature together, ``EXIT_DAYS`` after the end of
their horizon: were an early return learned at once and the silences a month later, a run that grows would
teach returns alone. Days on which a tracker was broken make the horizon longer. Of a run without a calendar
nothing is learned: it may just not have come yet, and learners who wait for a start are not lost.

**Sampling.** A snapshot is due every seventh day of the run, on a weekday that the enrolment's hash
picks. At most ``RESERVOIR_SIZE`` wait per enrolment: a uniform sample of all that were due
(Algorithm R; Vitter, ACM TOMS 11, 1985), drawn by the hash, so that the same events leave the same
sample. An example's weight is the number of snapshots that it stands for; without weights, learners
who stay long, and pass, would count less than those who leave early. In a run without an end
snapshots are due only as often as all that wait at once fit into the reservoir.
"""

import numpy as np
from numpy.typing import NDArray

from schemas.enrolment import Completed

SILENCE_HORIZON = 60
"""Days after the end of a run during which a late result is accepted."""

FORGOTTEN_AFTER = 365
"""Days without any activity, result or registration after which an enrolment is dropped if its run has no
calendar."""

SILENT_BEFORE_END = 28
"""Days: an enrolment without a result is lost if it was silent for longer than this before the end."""

SNAPSHOT_INTERVAL_DAYS = 7
"""Days between the snapshots of an enrolment."""

RESERVOIR_SIZE = 6
"""Snapshots that wait per enrolment. Six fill the 1.5 KB of state that an enrolment may occupy; eight gain
less than .001 of AUC, four cost .002."""

EXIT_DAYS = 21
"""Horizon of the exit label in days, the snapshot's own day included."""

NO_EXIT = 2**31 - 1
"""The exit day of a learner who did not leave."""

NO_END = 2**31 - 1
"""The end of a run without a calendar. Its labels stay pending for ever."""

# Outcomes of an enrolment, as columns hold them.
OPEN, WITHDRAWN, FAILED, PASSED = 0, 1, 2, 3

# Label status of an enrolment's snapshots.
PENDING, RETAINED, LOST, CENSORED = 0, 1, 2, 3

Days = NDArray[np.int64]
Hashes = NDArray[np.uint64]
LabelStatuses = NDArray[np.int8]


def outcome_of(event: Completed) -> int:
    """The outcome code of a final result."""
    return FAILED if event["result"] == "fail" else PASSED


def label_statuses(outcomes: NDArray[np.uint8], ends: Days, last_active: Days, day: int) -> LabelStatuses:
    """The label status at the end of ``day``: PENDING, RETAINED, LOST or CENSORED, int8 [n].

    outcomes: OPEN, WITHDRAWN, FAILED or PASSED, as recorded by then, [n]
    ends: the day on which the course run ends, ``NO_END`` without a calendar, [n]
    last_active: the last day with activity; any smaller number if there was none, [n]
    """
    run_ended = ends <= day
    horizon_passed = ends <= day - SILENCE_HORIZON
    silent_at_end = ends - last_active > SILENT_BEFORE_END
    statuses = np.where(horizon_passed, np.where(silent_at_end, LOST, CENSORED), PENDING)
    statuses = np.where(run_ended & (outcomes == PASSED), RETAINED, statuses)
    statuses = np.where(run_ended & ((outcomes == WITHDRAWN) | (outcomes == FAILED)), LOST, statuses)
    return statuses.astype(np.int8)


def horizon_statuses(
    outcomes: NDArray[np.uint8], outcome_days: Days, since: Days, until: int, last_active: Days
) -> LabelStatuses:
    """The labels of snapshots of a run without an end, RETAINED or LOST, int8 [n].

    outcomes, outcome_days: as recorded by now, [n]. since, until: the days of the snapshots, [n], and the
    first day after their horizons. last_active: the last day before ``until`` with activity, [n].
    """
    has_left = ((outcomes == WITHDRAWN) | (outcomes == FAILED)) & (outcome_days < until)
    lost = (outcomes != PASSED) & (has_left | (last_active < since))
    return np.where(lost, LOST, RETAINED).astype(np.int8)


def snapshot_interval(horizon: int) -> int:
    """Days between the snapshots of an enrolment of a run without an end. horizon: its days of silence."""
    return max(SNAPSHOT_INTERVAL_DAYS, -(-(horizon + EXIT_DAYS) // RESERVOIR_SIZE))


def exit_days(outcomes: NDArray[np.uint8], outcome_days: Days, ends: Days, last_active: Days) -> Days:
    """The day on which each lost enrolment left, ``NO_EXIT`` where it stayed to the end, [n].

    Arguments as for ``label_statuses``; outcome_days: the day of withdrawal, [n]. An enrolment that was never
    active left on the day after its ``last_active``, which lies before the run.
    """
    silent_at_end = ends - last_active > SILENT_BEFORE_END
    by_silence = np.where(silent_at_end, last_active + 1, NO_EXIT)
    days: Days = np.where(outcomes == WITHDRAWN, outcome_days, by_silence)
    return days


def is_due(
    hashes: Hashes, day: int, start: int, end: int, interval: int = SNAPSHOT_INTERVAL_DAYS
) -> NDArray[np.bool_]:
    """Whether a snapshot is due at the start of ``day``, for enrolments in force of one run, bool [n].

    Nothing is due before the run's start or from its end on. interval: days between an enrolment's snapshots.
    """
    if not start <= day < end:
        return np.zeros(len(hashes), np.bool_)
    due: NDArray[np.bool_] = hashes % np.uint64(interval) == np.uint64((day - start) % interval)
    return due


def reservoir_slots(
    due_before: NDArray[np.integer], hashes: Hashes, size: int = RESERVOIR_SIZE
) -> NDArray[np.int8]:
    """The reservoir slot for the next snapshot of each enrolment, −1 where it is dropped, int8 [n].

    due_before: snapshots due before this one, [n]; hashes: of the enrolments, [n]; size: of the reservoir
    """
    count = due_before.astype(np.uint64)
    drawn = splitmix64(hashes + (count + np.uint64(1)) * _GOLDEN_GAMMA) % (count + np.uint64(1))
    slot = np.where(count < size, count, drawn)
    return np.where(slot < size, slot, -1).astype(np.int8)


def example_weight(due: int, size: int = RESERVOIR_SIZE) -> float:
    """How many of the ``due`` snapshots each one in the reservoir stands for."""
    return max(1.0, due / size)


_GOLDEN_GAMMA = np.uint64(0x9E3779B97F4A7C15)


def splitmix64(numbers: Hashes) -> Hashes:
    """The finaliser of SplitMix64 (Steele, Lea and Flood, OOPSLA 2014), modulo 2^64."""
    mixed = (numbers ^ (numbers >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return mixed ^ (mixed >> np.uint64(31))
