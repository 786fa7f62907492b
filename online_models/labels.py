"""Labels: what *lost* means, when it is certain, and which snapshots wait for it.

**Lost** is whoever withdrew or failed. Silence is not a label: after 14 silent days 87 % come back.

**Certain is not the same as known.** A withdrawal is known on its day; that somebody stayed is
known only when the run has ended. A model that learns each outcome as soon as it is known sees
nothing but losses from the first day of a run to its last, and calls everybody lost: on the Open
University data (one pass in time order, weekly estimates on 2014B) that costs .14 of AUC and puts
the mean estimate at .87 where .43 are lost; a small weight for the early ones only softens it (.853
and .55 with a twentieth). So **a snapshot is held until its course run has ended**, whatever is
known before: the examples of a run come as they are, losses and successes together. The price is
that a run teaches nothing about itself, and that a new installation serves the recency prior until
its first run ends (or until earlier runs are replayed).

**Exit** is the second label: whether the learner leaves within ``EXIT_DAYS`` of the snapshot. Who
withdrew left on the day of it; who failed after more than ``SILENT_BEFORE_END`` silent days left on
the day after the last one active; who was there at the end did not leave, nor did who passed. When
silence was for good is known as late as who failed, so this label waits for the run's end too.

**When no result ever comes**, the silence horizon decides: ``SILENCE_HORIZON`` days after the end,
whoever was silent for more than ``SILENT_BEFORE_END`` days before it is lost (this is how
evaluation counts the exit of those who fail in silence; 75 % of them do). Of the others nothing is
known: censored, learned neither way. Days on which a tracker was broken are no silence: the caller moves the
last activity on by as many.

**Which snapshots.** A snapshot is due every seventh day of the run, on a day that the enrolment's
hash picks. At most ``KEPT`` wait per enrolment: a uniform sample of all that were due (Algorithm R;
Vitter, ACM TOMS 11, 1985), drawn by the hash, so that the same events leave the same sample. An
example weighs as many as it stands for; without that, those who stay long, and pass, would count
less than those who leave early.
"""

import numpy as np
from numpy.typing import NDArray

from schemas.enrolment import Completed

SILENCE_HORIZON = 60
"""Days after the end of a run during which a late result is waited for."""

FORGOTTEN_AFTER = 365
"""Days without any activity, result or registration after which an enrolment is let go where no calendar says
when its run ends."""

SILENT_BEFORE_END = 28
"""Days: more than that without activity before the end counts as lost where no result came."""

EVERY = 7
"""Days between the snapshots of an enrolment."""

KEPT = 6
"""Snapshots that wait per enrolment. Six fill the 1.5 KB of state that an enrolment may take; eight win
less than .001 of AUC, four cost .002."""

EXIT_DAYS = 21
"""Within how many days of a snapshot an exit counts, its own day included."""

NO_EXIT = 2**31 - 1
"""The exit of who did not leave."""

NO_END = 2**31 - 1
"""The end of a run without a calendar. Its snapshots wait for ever: nobody can say who stayed."""

# Outcomes of an enrolment, as columns hold them.
OPEN, WITHDRAWN, FAILED, PASSED = 0, 1, 2, 3

# What becomes of its snapshots.
WAIT, KEEP, LOST, CENSORED = 0, 1, 2, 3

Days = NDArray[np.int64]
Hashes = NDArray[np.uint64]
Verdicts = NDArray[np.int8]


def outcome_of(event: Completed) -> int:
    """The outcome that a final result stands for."""
    return FAILED if event["result"] == "fail" else PASSED


def verdicts(outcomes: NDArray[np.uint8], ends: Days, last_active: Days, day: int) -> Verdicts:
    """What is certain at the end of ``day``: WAIT, KEEP, LOST or CENSORED, int8 [n].

    outcomes: OPEN, WITHDRAWN, FAILED or PASSED, as known by then, [n]
    ends: the day on which the course run ends, ``NO_END`` where no calendar says, [n]
    last_active: the last day with activity, any smaller number where there was none, [n]
    """
    over = ends <= day
    given_up = ends <= day - SILENCE_HORIZON
    silent = ends - last_active > SILENT_BEFORE_END
    found = np.where(given_up, np.where(silent, LOST, CENSORED), WAIT)
    found = np.where(over & (outcomes == PASSED), KEEP, found)
    found = np.where(over & ((outcomes == WITHDRAWN) | (outcomes == FAILED)), LOST, found)
    return found.astype(np.int8)


def exits(outcomes: NDArray[np.uint8], outcome_days: Days, ends: Days, last_active: Days) -> Days:
    """The day on which each of those who are lost left, ``NO_EXIT`` where they were there to the end.

    As for ``verdicts``; outcome_days: the day of withdrawal, [n]. Who was never active is as if gone long
    before.
    """
    silent = ends - last_active > SILENT_BEFORE_END
    by_silence = np.where(silent, last_active + 1, NO_EXIT)
    found: Days = np.where(outcomes == WITHDRAWN, outcome_days, by_silence)
    return found


def is_due(hashes: Hashes, day: int, start: int, end: int) -> NDArray[np.bool_]:
    """Whether a snapshot is taken at the start of ``day``, for enrolments of one run, bool [n].

    Only in force ones are asked for; nothing is due before the run's start or from its end on.
    """
    if not start <= day < end:
        return np.zeros(len(hashes), np.bool_)
    due: NDArray[np.bool_] = hashes % np.uint64(EVERY) == np.uint64((day - start) % EVERY)
    return due


def reservoir_slots(seen: NDArray[np.integer], hashes: Hashes, kept: int = KEPT) -> NDArray[np.int8]:
    """The slot that the next snapshot of each enrolment goes to, −1 where it is dropped, int8 [n].

    seen: snapshots due before this one, [n]; hashes: of the enrolments, [n]
    """
    count = seen.astype(np.uint64)
    drawn = mix(hashes + (count + np.uint64(1)) * _GOLDEN) % (count + np.uint64(1))
    slot = np.where(count < kept, count, drawn)
    return np.where(slot < kept, slot, -1).astype(np.int8)


def example_weight(seen: int, kept: int = KEPT) -> float:
    """How many of ``seen`` snapshots each of those kept stands for."""
    return max(1.0, seen / kept)


_GOLDEN = np.uint64(0x9E3779B97F4A7C15)


def mix(numbers: Hashes) -> Hashes:
    """The finaliser of SplitMix64 (Steele, Lea and Flood, OOPSLA 2014), modulo 2^64."""
    mixed = (numbers ^ (numbers >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return mixed ^ (mixed >> np.uint64(31))
