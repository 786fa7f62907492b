"""Daily aggregates for the store, so that boards need not read millions of rows.

Pure, and computed from the state alone: counts do not depend on the order of events, and the rows of a
day that is repeated after a crash have the same keys. ``sinks.tables`` declares the columns.
"""

from collections.abc import Iterable, Sequence
from datetime import date
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.day import sessions
from engine.outputs import Outputs
from engine.state.partition_state import PartitionState
from features.coursework import NO_DAY, Run
from features.ring import NEVER, RING, Ints, last_active
from online_models.labels import FAILED, NO_EXIT, OPEN, PASSED, WITHDRAWN, exit_days
from schemas.activity import ACTIVITY_KINDS
from schemas.risk import RiskChange
from schemas.roles import LEARNER, ROLES

EPOCH_ORDINAL = date(1970, 1, 1).toordinal()
OUTCOMES = {OPEN: "enrolled", WITHDRAWN: "withdrawn", FAILED: "failed", PASSED: "passed"}
WEEK = 7


def daily_aggregates(state: PartitionState, partition: int, day: int, ended: Sequence[int]) -> Outputs:
    """Rows of activity, sessions, progress, retention and outcomes of the epoch day that is closing.

    ended: slots of the enrolments whose outcome became known at this close.
    """
    outputs = Outputs()
    common = {"partition": partition, "version": day}
    for index, run in enumerate(state.runs):
        slots = learner_slots(state, index)
        if len(slots):
            _activity(state, run, slots, day, outputs, common)
            outputs.add_row(
                "sessions_daily",
                day=as_date(day),
                course_run=run.name,
                **sessions.session_totals(state.rows, slots, day),
                **common,
            )
            outputs.add_row("progress_daily", day=as_date(day), **progress(state, run, slots, day), **common)
            if _is_sunday(day) and not (run.is_known and run.end < day):
                _retention(state, run, slots, day, outputs, common)
    _outcomes(state, ended, day, outputs, common)
    _other_roles(state, day, outputs, common)
    return outputs


def learner_slots(state: PartitionState, run: int) -> Ints:
    """Slots of a run's enrolments in the role of learner, ascending. run: its index."""
    slots = state.slots_of_run(run)
    learners: Ints = slots[state.rows["role"][slots] == LEARNER]
    return learners


def progress(state: PartitionState, run: Run, slots: Ints, day: int) -> dict[str, Any]:
    """Progress of the enrolments of a run, by the columns of ``progress_daily``."""
    rows = state.rows
    started = _started(state, slots, day)
    outcome = rows["outcome"][slots]
    due = len(run.assessments)
    cells = state.gradebook.cells(state.run_index[run.name], slots, due)
    handed_in = (cells["day"] != NO_DAY).sum(axis=1)
    return {
        "course_run": run.name,
        "course": run.course,
        "starts": as_date(run.start) if run.is_known else None,
        "ends": as_date(run.end) if run.has_end else None,
        "new": int((rows["enrolled"][slots] == day).sum()),
        "enrolled": int((started | (rows["enrolled"][slots] != NEVER)).sum()),
        "started": int(started.sum()),
        "handed_in": int((handed_in > 0).sum()),
        "half_way": int((2 * handed_in >= due).sum()) if due else 0,
        "withdrawn": int((outcome == WITHDRAWN).sum()),
        "failed": int((outcome == FAILED).sum()),
        "passed": int((outcome == PASSED).sum()),
        "pending": int((rows["snap_day"][slots] != NEVER).sum()),
    }


def _activity(
    state: PartitionState, run: Run, slots: Ints, day: int, outputs: Outputs, common: dict[str, int]
) -> None:
    """Clicks and active enrolments by kind."""
    clicks: NDArray[np.uint8] = state.rows["clicks"][slots, day % RING]
    by_kind, users = clicks.sum(axis=0, dtype=np.int64), (clicks > 0).sum(axis=0)
    kinds = np.flatnonzero(by_kind)
    outputs.add_rows(
        "activity_daily",
        {
            "day": [as_date(day)] * len(kinds),
            "course_run": [run.name] * len(kinds),
            "kind": [ACTIVITY_KINDS[kind] for kind in kinds.tolist()],
            "clicks": by_kind[kinds].tolist(),
            "active": users[kinds].tolist(),
            **_repeated(common, len(kinds)),
        },
    )


def _retention(
    state: PartitionState, run: Run, slots: Ints, day: int, outputs: Outputs, common: dict[str, int]
) -> None:
    """At the end of a week: for each week of first activity, how many learners were active in this one."""
    rows = state.rows
    slots = slots[_started(state, slots, day)]
    if not len(slots):
        return
    days = [(day - back) % RING for back in range(WEEK)]
    active = rows["clicks"][slots][:, days].any(axis=(1, 2))
    cohorts, cohort_index = np.unique(
        _monday(rows["first_active"][slots].astype(np.int64)), return_inverse=True
    )
    count = len(cohorts)
    outputs.add_rows(
        "retention_weekly",
        {
            "course_run": [run.name] * count,
            "cohort": [as_date(cohort) for cohort in cohorts.tolist()],
            "week": ((_monday(day) - cohorts) // WEEK).tolist(),
            "learners": np.bincount(cohort_index, minlength=count).tolist(),
            "active": np.bincount(cohort_index, active, minlength=count).astype(np.int64).tolist(),
            **_repeated(common, count),
        },
    )


def _started(state: PartitionState, slots: Ints, day: int) -> NDArray[np.bool_]:
    """Which enrolments were active by the end of the day, [n]; some events of the next day are applied."""
    first_active = state.rows["first_active"][slots]
    started: NDArray[np.bool_] = (first_active != NEVER) & (first_active <= day)
    return started


def _other_roles(state: PartitionState, day: int, outputs: Outputs, common: dict[str, int]) -> None:
    """Count the enrolments and the events of everybody who is no learner, and reset the events' counts.

    Events of earlier days that came late count on the day of this close.
    """
    counts: dict[tuple[str, str], list[int]] = {}
    for key in sorted(key for key in state.others if key[2] <= day):
        counts.setdefault(key[:2], [0, 0])[1] += state.others.pop(key)
    slots = state.used_slots()
    for slot in slots[state.rows["role"][slots] != LEARNER].tolist():
        run = state.runs[state.run_of[slot]].name
        counts.setdefault((run, ROLES[int(state.rows["role"][slot])]), [0, 0])[0] += 1
    for (run, role), (enrolments, events) in sorted(counts.items()):
        outputs.add_row(
            "other_roles_daily",
            day=as_date(day),
            course_run=run,
            role=role,
            enrolments=enrolments,
            events=events,
            **common,
        )


def _outcomes(
    state: PartitionState, ended: Sequence[int], day: int, outputs: Outputs, common: dict[str, int]
) -> None:
    """Outcomes of ended enrolments and their exit days, as evaluation counts exits.

    ended: enrolments with another outcome than at the close before, those that go on again among them.
    """
    slots = np.array(sorted(set(ended)), np.int64)
    slots = slots[state.rows["role"][slots] == LEARNER]
    runs = [state.runs[index] for index in state.run_of[slots].tolist()]
    # NEVER without an end in the calendar, so that silence is no exit
    ends = np.array([run.end if run.has_end else NEVER for run in runs], np.int64)
    outcomes, happened = state.rows["outcome"][slots], state.rows["outcome_day"][slots].astype(np.int64)
    left = exit_days(outcomes, happened, ends, last_active(state.rows, slots, day + 1))
    never_active = left == NEVER + 1
    has_exit_day = (outcomes != PASSED) & (outcomes != OPEN) & (left != NO_EXIT) & ~never_active
    since = state.days.days(state.rows["status_at"][slots].astype(np.int64))
    happened = np.where(outcomes == OPEN, since, happened)
    for index, (slot, run) in enumerate(zip(slots.tolist(), runs, strict=True)):
        outputs.add_row(
            "outcomes",
            course_run=run.name,
            learner=state.pseudonyms[slot][0],
            day=as_date(int(happened[index])),
            outcome=OUTCOMES[int(outcomes[index])],
            exit_day=as_date(int(left[index])) if has_exit_day[index] else None,
            **common,
        )


def risk_row(
    levels: NDArray[np.uint8], probability: NDArray[np.float64], changes: Iterable[RiskChange]
) -> dict[str, Any]:
    """A cohort's levels on a day, by the columns of ``risk_daily``. levels, probability: [enrolments]."""
    low, medium, high = np.bincount(levels, minlength=3).tolist()
    moves = [(change.previous_level, change.level) for change in changes]
    return {
        "low": low,
        "medium": medium,
        "high": high,
        # In millionths, so that the sum does not depend on the order of the enrolments.
        "expected_lost": int(np.rint(probability * 1e6).astype(np.int64).sum()) / 1e6,
        "raised": sum(level == "high" for _, level in moves),
        "lowered": sum(before == "high" for before, _ in moves),
    }


def as_date(day: int) -> date:
    """The date of an epoch day, as the store's client expects it."""
    return date.fromordinal(EPOCH_ORDINAL + day)


def _monday(day: Any) -> Any:
    """The Monday on or before an epoch day, or an array of them; day 0 was a Thursday."""
    return day - (day + 3) % WEEK


def _is_sunday(day: int) -> bool:
    return bool(_monday(day + 1) == day + 1)


def _repeated(common: dict[str, int], count: int) -> dict[str, list[int]]:
    return {name: [value] * count for name, value in common.items()}
