"""What a sample lacks that would make estimates better: pure functions of its figures."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from evaluation.event_check.counts import EventCounts, RunCounts
from evaluation.event_check.finding import WHOLE_SAMPLE, Finding, percent, some

MANY_OTHER = 0.5
"""Share of activities of the kind *other* from which kinds say little."""

NOT_ENROLLED = 0.05
"""Share of active enrolments without a registration from which it is a finding."""

WITHOUT_OBJECT = 0.01
"""Share of hand-ins that name no work from which it is a finding."""


@dataclass(frozen=True, slots=True)
class _RunRule:
    """What a run may lack. Holds for runs with activities; last: the newest activity of the sample."""

    name: str
    lacks: Callable[[RunCounts, int], bool]
    found: str
    means: str


def _has_ended(run: RunCounts, last: int) -> bool:
    """Whether the sample goes beyond the run's end, or the run has no calendar."""
    return run.calendar is None or (run.calendar.ends is not None and run.calendar.ends <= last)


def _is_silent(run: RunCounts, last: int) -> bool:
    """Whether a run that has begun has learners and none of them does anything."""
    has_begun = run.calendar is None or run.calendar.starts <= last
    return bool(run.facts["enrolled"]) and not run.activities and has_begun


_RUN_RULES = (
    _RunRule(
        "no_calendar",
        lambda run, _: run.calendar is None,
        "no calendar",
        "when the run starts and ends and what is due: nothing can be missed, nothing tells the first week "
        "from the last, and nothing is learned from the run, since nobody knows when it is over",
    ),
    _RunRule(
        "no_end",
        lambda run, _: run.calendar is not None and run.calendar.ends is None,
        "a calendar without an end",
        "when it is over: who is not active for inactive_after_days counts as lost, and nothing waits for an "
        "end. Right for a self-paced course; say ends_at of any other",
    ),
    _RunRule(
        "no_deadlines",
        lambda run, _: run.calendar is not None and not run.calendar.work,
        "a calendar without deadlines",
        "what is due: work that is missed, late or early, and the points that can still be reached",
    ),
    _RunRule(
        "no_submissions",
        lambda run, _: not run.submissions,
        "no hand-ins (activities of the kind submission)",
        "who handed in what: every deadline that the calendar names counts as missed, by everybody",
    ),
    _RunRule(
        "submissions_without_object",
        lambda run, _: run.without_object > WITHOUT_OBJECT * run.submissions,
        "hand-ins that name no work in object",
        "which deadline they met: it counts as missed",
    ),
    _RunRule(
        "other_names_of_work",
        lambda run, _: (
            run.calendar is not None
            and bool(run.objects and run.calendar.work)
            and run.calendar.work.isdisjoint(run.objects)
        ),
        "no hand-in's object is an assessment of the calendar",
        "which deadline a hand-in met: object and assessment must be the same name",
    ),
    _RunRule(
        "no_grades",
        lambda run, _: run.submissions > 0 and not run.scored and not run.facts["graded"],
        "hand-ins, and no grade of any (score, or graded)",
        "how well work was done: scores, and the points earned so far",
    ),
    _RunRule(
        "no_enrolments",
        lambda run, _: not run.facts["enrolled"],
        "activity, and no registration (enrolled)",
        "who never starts: a learner without an activity is not there; and when anybody registered",
    ),
    _RunRule(
        "no_results",
        lambda run, last: not run.facts["completed"] and _has_ended(run, last),
        "no result (completed), though the run is over or has no calendar",
        "who passed and who failed: only withdrawals and long silence teach, all others are left out",
    ),
)


def missing(counts: EventCounts) -> list[Finding]:
    """What would make estimates better, run by run and in the whole sample."""
    last = counts.last or 0
    runs = {name: run for name, run in counts.runs.items() if run.activities}
    findings = []
    if not runs:
        means = "anything: only activities end a silence, so everybody counts as silent"
        findings.append(Finding("missing", "no_activity", WHOLE_SAMPLE, "no activity of a learner", means))
    elif silent := [name for name, run in counts.runs.items() if _is_silent(run, last)]:
        found = "registrations, and no activity"
        means = "anything of these runs: is the name of a run the same in all messages?"
        findings.append(Finding("missing", "silent_runs", some(silent), found, means))
    lacking = {rule: [name for name, run in runs.items() if rule.lacks(run, last)] for rule in _RUN_RULES}
    findings += [
        Finding("missing", rule.name, some(names), rule.found, rule.means)
        for rule, names in lacking.items()
        if names
    ]
    return [*findings, *_missing_in_all(counts)]


def _missing_in_all(counts: EventCounts) -> Iterator[Finding]:
    if counts.types["enrolled"] and not counts.types["withdrawn"]:
        yield Finding(
            "missing",
            "no_withdrawals",
            WHOLE_SAMPLE,
            "registrations, and no withdrawal (withdrawn)",
            "who has left and said so: they are scored on, as silent, and the run's estimates are not held "
            "against how many leave while it goes on",
        )
    activities = sum(counts.kinds.values())
    if activities and counts.kinds["other"] >= MANY_OTHER * activities:
        found = f"{percent(counts.kinds['other'], activities)} of the activities are of the kind other"
        means = "what learners do: kinds tell reading from work and from talk; map your verbs to them"
        yield Finding("missing", "kinds_other", WHOLE_SAMPLE, found, means)
    yield from _not_enrolled(counts)


def _not_enrolled(counts: EventCounts) -> Iterator[Finding]:
    """Learners who are active in a run for which the sample has registrations, but none of theirs."""
    with_registrations = {name for name, run in counts.runs.items() if run.facts["enrolled"]}
    active = lacking = 0
    learners = []
    for name, learner in counts.learners.items():
        runs = learner.active & with_registrations
        active += len(runs)
        if without := len(runs - learner.enrolled):
            lacking += without
            learners.append(name)
    if lacking > NOT_ENROLLED * active:
        found = f"{percent(lacking, active)} of the active enrolments have no registration, others do"
        means = "when they registered. In a slice of a run that is no fault; else they may be no learners"
        yield Finding("missing", "active_not_enrolled", some(learners), found, means)
