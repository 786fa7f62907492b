"""Tables of what learners did, by hour, day and week, and of how far they have come in their courses."""

from sinks.tables.declaration import DAY, NAME, PARTITION, TIME, VERSION, Table

ACTIVITY_HOURLY = Table(
    "activity_hourly",
    "activity by course run, kind and hour: each row is what one tick of a partition's watermark added; "
    "sum over the rows",
    {
        "course_run": NAME,
        "kind": NAME,
        "hour": TIME,  # in which the activity occurred
        "partition": PARTITION,
        "tick": TIME,  # the watermark's hour at which the delta was cut
        "events": "UInt64",
        "clicks": "UInt64",
        "seconds": "UInt64",
        "version": VERSION,
    },
    ("course_run", "kind", "hour", "partition", "tick"),
)

ENGAGEMENT_DAILY = Table(
    "engagement_daily",
    "enrolments of a partition by course run and day; sum over the partitions",
    {
        "course_run": NAME,
        "day": DAY,
        "partition": PARTITION,
        "enrolled": "UInt32",  # in force at the day's end
        "active": "UInt32",  # of these, active on the day
        "active_7": "UInt32",  # … within the 7 days that end with it
        "active_28": "UInt32",
        "clicks": "UInt64",
        "minutes": "UInt64",
        "new": "UInt32",  # enrolled on the day
        "withdrawn": "UInt32",  # left on the day
        "version": VERSION,
    },
    ("course_run", "day", "partition"),
)

ACTIVITY_DAILY = Table(
    "activity_daily",
    "activity of a partition by day, course run and kind, as known when the day closed: what a learner did "
    "of one kind counts to 255 a day, and what comes later is in activity_hourly alone",
    {
        "day": DAY,
        "course_run": NAME,
        "kind": NAME,
        "partition": PARTITION,
        "clicks": "UInt64",
        "active": "UInt32",  # enrolments with activity of the kind
        "version": VERSION,
    },
    ("day", "course_run", "kind", "partition"),
)

SESSIONS_DAILY = Table(
    "sessions_daily",
    "sessions of a partition by day and course run, as known when the day closed: a session is a row of "
    "clock hours with activity in each, and counts on the day on which it began",
    {
        "day": DAY,
        "course_run": NAME,
        "partition": PARTITION,
        "learners": "UInt32",  # enrolments active on the day
        "sessions": "UInt64",  # begun on the day
        "hours": "UInt64",  # clock hours with activity, summed over the learners
        "seconds": "UInt64",  # of activity, where the platform says how long; to 18 hours a learner
        "version": VERSION,
    },
    ("day", "course_run", "partition"),
)

PROGRESS_DAILY = Table(
    "progress_daily",
    "how far the enrolments of a partition's course run have come, at the day's end; those who left are "
    "counted too, until the run is let go",
    {
        "day": DAY,
        "course_run": NAME,
        "partition": PARTITION,
        "course": NAME,
        "starts": "Nullable(Date)",  # by the calendar, where one came
        "ends": "Nullable(Date)",
        "new": "UInt32",  # enrolled on the day
        "enrolled": "UInt32",
        "started": "UInt32",  # active at least once
        "handed_in": "UInt32",  # of the deadlines, at least one
        "half_way": "UInt32",  # … at least half of all that the run has
        "withdrawn": "UInt32",
        "failed": "UInt32",
        "passed": "UInt32",
        "pending": "UInt32",  # snapshots that wait for their outcome
        "version": VERSION,
    },
    ("day", "course_run", "partition"),
)

RETENTION_WEEKLY = Table(
    "retention_weekly",
    "of a partition's enrolments that were first active in one week, how many still are, week by week",
    {
        "course_run": NAME,
        "cohort": DAY,  # Monday of the week of the first activity
        "week": "UInt16",  # 0 is that week
        "partition": PARTITION,
        "learners": "UInt32",
        "active": "UInt32",  # of these, in the week
        "version": VERSION,
    },
    ("course_run", "cohort", "week", "partition"),
)

OTHER_ROLES_DAILY = Table(
    "other_roles_daily",
    "who is in a run and no learner: neither scored nor counted elsewhere",
    {
        "day": DAY,  # at whose close it was counted
        "course_run": NAME,
        "role": NAME,  # system: events that a machine made
        "partition": PARTITION,
        "enrolments": "UInt64",
        "events": "UInt64",
        "version": VERSION,
    },
    ("course_run", "role", "day", "partition"),
)

OUTCOMES = Table(
    "outcomes",
    "how enrolments ended, as platforms say it; one that goes on again after its end has a row too",
    {
        "course_run": NAME,
        "learner": "String",
        "day": DAY,  # on which it happened
        "outcome": NAME,  # withdrawn, failed or passed; enrolled where it goes on again
        "exit_day": "Nullable(Date)",  # of the withdrawal; the day after the last activity of a silent fail
        "partition": PARTITION,
        "version": VERSION,
    },
    ("course_run", "learner"),
)
