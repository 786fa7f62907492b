"""Tables of learners' risk: its history, its changes with reasons, and how each enrolment stands now."""

from sinks.tables.declaration import DAY, NAME, PARTITION, TIME, VERSION, Table

RISK_HISTORY = Table(
    "risk_history",
    "each enrolment's risk, when it moved and at least weekly; feeds standing",
    {
        "learner": "String",
        "course_run": NAME,
        "day": DAY,  # the estimate rests on events of days before this one
        "probability": "Float32",  # P(lost)
        "exit_probability": "Nullable(Float32)",  # P(exit within 21 days)
        "level": NAME,
        "model_state": NAME,
        "model_version": "String",
        "partition": PARTITION,
        "version": VERSION,
        "clicks": "Array(UInt16)",  # of the seven days before `day`, the newest first
    },
    ("course_run", "learner", "day"),
)

STANDING = Table(
    "standing",
    "how each enrolment stands now, kept by the store from risk_history, risk_changes and learner_facts; "
    "nobody writes it. Aggregate over the key, with -Merge; of the estimates, read the view risk_now",
    {
        "course_run": NAME,
        "learner": "String",
        # the newest: day, P(lost), P(exit within 21 days), level, model state, model version
        "estimate": "AggregateFunction(argMax, "
        "Tuple(Date, Float32, Nullable(Float32), String, String, String), Tuple(Date, UInt64))",
        # of the last change: when, level and probability before it
        "change": "AggregateFunction(argMax, Tuple(DateTime('UTC'), String, Float32), Tuple(Date, UInt64))",
        # its reasons, their contributions, their features
        "why": "AggregateFunction(argMax, Tuple(Array(String), Array(Float32), Array(String)), "
        "Tuple(Date, UInt64))",
        "reliefs": "AggregateFunction(argMax, Array(String), Tuple(Date, UInt64))",  # of those reasons
        # of the last word of an instructor: when, which, on what nudge
        "word": "AggregateFunction(argMaxIf, Tuple(DateTime('UTC'), String, String), "
        "Tuple(DateTime('UTC'), String), UInt8)",
        "gone_at": "SimpleAggregateFunction(max, DateTime('UTC'))",  # withdrawn or completed; 1970 if neither
    },
    ("course_run", "learner"),
)

RISK_CHANGES = Table(
    "risk_changes",
    "confirmed transitions between levels, with their reasons",
    {
        "risk_change_id": "String",
        "learner": "String",
        "course_run": NAME,
        "occurred_at": TIME,
        "day": DAY,
        "previous_level": NAME,
        "level": NAME,
        "probability": "Float32",
        "previous_probability": "Float32",
        "exit_probability": "Nullable(Float32)",  # P(exit within 21 days)
        "model_state": NAME,
        "model_version": "String",
        "data_quality": NAME,  # suspect: a source of the course run was quiet or mad
        "reasons": "Array(String)",  # in the reader's words, the main one first
        "contributions": "Array(Float32)",  # of each reason, in log-odds
        "features": "Array(String)",  # that each reason is about
        "reliefs": "Array(String)",  # what would bring it down, and to what; empty where unknown
        "partition": PARTITION,
        "version": VERSION,
    },
    ("occurred_at", "risk_change_id"),
)

RISK_DAILY = Table(
    "risk_daily",
    "levels of a partition's enrolments in force, by day and course run; sum over the partitions",
    {
        "day": DAY,  # the estimates rest on events of days before this one
        "course_run": NAME,
        "partition": PARTITION,
        "model_state": NAME,
        "low": "UInt32",
        "medium": "UInt32",
        "high": "UInt32",
        "expected_lost": "Float64",  # sum of P(lost)
        "raised": "UInt32",  # to high, on the day
        "lowered": "UInt32",  # from high
        "version": VERSION,
    },
    ("day", "course_run", "partition"),
)
