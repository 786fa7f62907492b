"""Who in a sample looks like staff or like a machine. Rough rules: they say *look*, and assert nothing."""

from collections.abc import Mapping, Sequence
from math import log
from statistics import median

from evaluation.event_check.counts import EventCounts, LearnerCounts
from evaluation.event_check.finding import Finding, learners_are, some

FEW = 20
"""Active learners below which nobody can be called unusual."""

MANY_RUNS, TIMES_THE_RUNS = 5, 3
"""Staff: active in at least so many runs, and in so many times as many as 95 of 100 learners are."""

MANY_ACTIVITIES, DEVIATIONS, TIMES_THE_MEDIAN = 200, 5.0, 10
"""Staff: at least so many activities, so many robust deviations above the median on the log scale, and so
many times the median; and no hand-in, where most of the active have one."""

MAD_TO_DEVIATION = 1.4826
"""What makes the median absolute deviation of a normal distribution its standard deviation."""

QUIET_HOURS, EVEN_SHARE = 6, 0.15
"""Machines: the quietest six hours in a row have so large a share of at least ``MANY_ACTIVITIES`` activities.
Evenly over the day it would be a quarter; people sleep."""

ROLE_ADVICE = (
    "if they are no learners, send their role (enrolled or activity, field role): they are not scored"
)


def people(counts: EventCounts) -> list[Finding]:
    """Learners who look like something else."""
    active = {name: learner for name, learner in counts.learners.items() if learner.active}
    bots = [name for name, learner in active.items() if never_sleeps(learner.hours)]
    found = [_bots(bots)] if bots else []
    if len(active) < FEW:
        return found
    if many_runs := active_in_many_runs(active):
        most = max(len(active[name].active) for name in many_runs)
        said = f"{learners_are(many_runs)} active in far more runs than others, up to {most:,}"
        found.append(Finding("look", "staff_by_runs", some(many_runs), said, ROLE_ADVICE))
    if busy := [name for name in busy_without_hand_in(active) if name not in bots]:
        most = max(active[name].activities for name in busy)
        said = f"{learners_are(busy)} far more active than others, up to {most:,} activities, with no hand-in"
        found.append(Finding("look", "staff_by_volume", some(busy), said, ROLE_ADVICE))
    return found


def _bots(names: Sequence[str]) -> Finding:
    said = f"{learners_are(names)} active at all hours of day and night alike"
    return Finding("look", "bots", some(names), said, "a machine, or an account of many? " + ROLE_ADVICE)


def active_in_many_runs(learners: Mapping[str, LearnerCounts]) -> list[str]:
    """Learners in ``MANY_RUNS`` and ``TIMES_THE_RUNS`` as many runs as the 95th of 100 learners."""
    runs = sorted(len(learner.active) for learner in learners.values())
    usual = runs[(len(runs) - 1) * 95 // 100]
    least = max(MANY_RUNS, TIMES_THE_RUNS * usual)
    return [name for name, learner in learners.items() if len(learner.active) >= least]


def busy_without_hand_in(learners: Mapping[str, LearnerCounts]) -> list[str]:
    """Learners with an outlying number of activities and no hand-in, where most of the active have one."""
    logs = [log(learner.activities) for learner in learners.values()]
    middle = median(logs)
    spread = MAD_TO_DEVIATION * median(abs(value - middle) for value in logs)
    handing_in = [bool(one.submissions) for one in learners.values() if log(one.activities) >= middle]
    if 2 * sum(handing_in) < len(handing_in):
        return []
    least = max(log(MANY_ACTIVITIES), middle + DEVIATIONS * spread, middle + log(TIMES_THE_MEDIAN))
    return [
        name
        for name, learner in learners.items()
        if not learner.submissions and log(learner.activities) >= least
    ]


def never_sleeps(hours: Sequence[int]) -> bool:
    """Whether activities by hour of the day, [24], are those of nobody who sleeps."""
    total = sum(hours)
    if total < MANY_ACTIVITIES:
        return False
    return min(six_hours(hours)) >= EVEN_SHARE * total


def six_hours(hours: Sequence[int]) -> list[int]:
    """The activities of ``QUIET_HOURS`` in a row from each hour of the day on, around midnight too, [24]."""
    return [sum(hours[(first + step) % 24] for step in range(QUIET_HOURS)) for first in range(24)]
