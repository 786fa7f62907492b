"""Facts: messages whose order matters, in the form in which the state stores them until their day closes.

Registrations, withdrawals, results, calendars and hand-ins are applied in event time when the day closes
(:mod:`engine.day.fact_application`). Until then the state holds them as JSON.
"""

from engine.batch.activities import Activity
from engine.batch.decoding import Message
from features.dates import NO_DATE
from features.event_days import EventDays
from schemas.fields import is_never

_NOT_STORED = frozenset({"occurred_at", "graded_at", "due_at", "from_at", "until_at", "source", "version"})
"""Fields of a message that its fact holds in another form, or not at all."""


def fact_of_message(message: Message, time: int, offset: int, days: EventDays) -> Message:
    """The fact of a message that is not an activity. Its times are epoch seconds, so that it fits into JSON.

    message: decoded and validated. time: its event time, epoch seconds. offset: of its record. days: the
    partition's event days.
    """
    fact = {name: value for name, value in message.items() if name not in _NOT_STORED}
    fact |= {"time": time, "offset": offset}
    if message["type"] == "extension":
        due = message.get("due_at")
        fact["due_day"] = NO_DATE if due is None or is_never(due) else days.first_from(int(due.timestamp()))
    if message["type"] == "pause":
        begin, until = int(message["from_at"].timestamp()), message["until_at"]
        end = None if is_never(until) else int(until.timestamp())
        fact["from"], fact["since_day"] = begin, days.day(begin)
        fact["until_day"] = (
            NO_DATE if end is None else days.first_from(end) if end > begin else fact["since_day"]
        )
    if message["type"] == "calendar":
        fact["starts_at"] = int(message["starts_at"].timestamp())
        ends = message.get("ends_at")
        fact["ends_at"] = None if ends is None or is_never(ends) else int(ends.timestamp())
        fact["deadlines"] = [
            _stored(deadline)
            for deadline in message["deadlines"]
            if "due_after_days" in deadline or not is_never(deadline["due_at"])
        ]
    return fact


def _stored(deadline: Message) -> Message:
    """A deadline with its moment in epoch seconds, where it has one."""
    return deadline | ({"due_at": int(deadline["due_at"].timestamp())} if "due_at" in deadline else {})


def calendar_age(calendar: Message) -> tuple[int, str]:
    """Sort key of the calendars of a run: the greatest is the newest, in whatever order they arrive."""
    return calendar["time"], calendar["event_id"]


def fact_of_activity(activity: Activity, time: int, offset: int) -> Message:
    """The fact of an activity that is a hand-in or reports progress: what the close of its day needs."""
    fact: Message = {"type": "activity", "event_id": activity.event_id, "time": time, "offset": offset}
    fact |= {"learner": activity.learner, "course_run": activity.course_run, "kind": activity.kind}
    for name in ("object", "score", "progress", "role"):
        value = getattr(activity, name)
        if value is not None:
            fact[name] = value
    return fact


def role_fact_id(activity: Activity, day: int) -> str:
    """The id of the one fact that a role, an enrolment and a day have."""
    run = activity.course_run
    return f"role:{activity.role}:{day}:{len(run)}:{run}{activity.learner}"


def fact_of_role(activity: Activity, time: int, day: int, offset: int, known: Message | None) -> Message:
    """That an activity names a role: one fact a day, role and enrolment, the newest; known: the one so far.

    Somebody of another role may be active thousands of times a day.
    """
    fact: Message = {"type": "role", "event_id": role_fact_id(activity, day), "time": time, "offset": offset}
    fact |= {"learner": activity.learner, "course_run": activity.course_run, "role": activity.role}
    return fact if known is None or known["time"] < time else known
