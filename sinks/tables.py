"""Every table's row: the columns that a writer gives, with their ClickHouse types. The only list.

The migrations create what is declared here, and a test compares the two. A column that the database
fills itself (``ingested_at``) is not part of a row. Learners are pseudonyms everywhere.

``key`` makes a row: of rows with one key the store keeps the one with the highest ``version`` (where
there is such a column), else the last written. It does so some time after the insert, so a reader that
cannot bear a duplicate says ``FINAL`` or aggregates over the key.
"""

from dataclasses import dataclass

DAY = "Date"
TIME = "DateTime('UTC')"
NAME = "LowCardinality(String)"
PARTITION = "UInt16"
VERSION = "UInt64"
"""Grows whenever a key's row is computed anew, and is the same whenever a replay computes it again."""


@dataclass(frozen=True, slots=True)
class Table:
    """A table of the store."""

    name: str
    purpose: str
    columns: dict[str, str]
    key: tuple[str, ...]


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

OUTCOMES = Table(
    "outcomes",
    "how enrolments ended, as platforms say it",
    {
        "course_run": NAME,
        "learner": "String",
        "day": DAY,  # on which it happened
        "outcome": NAME,  # withdrawn, failed or passed
        "exit_day": "Nullable(Date)",  # of the withdrawal; the day after the last activity of a silent fail
        "partition": PARTITION,
        "version": VERSION,
    },
    ("course_run", "learner"),
)

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

FIRST_WRITTEN = Table(
    "first_written",
    "when something was written for the first time, by the wall clock: that is its ``ingested_at``, which no "
    "repeat and no merge moves. Kept by the store from risk_changes, nudge_ledger and model_metrics; nobody "
    "writes it. Read it with FINAL",
    {
        "kind": NAME,  # risk_change, decision, policy or model_event
        "occurred_at": TIME,  # event time; 1970 for a policy
        "id": "String",  # of the change or the decision, the policy's version, the metric
        "label": "SimpleAggregateFunction(max, String)",  # the change's level, or what was decided and why
    },
    ("kind", "occurred_at", "id"),
)

KEPT_BY_THE_STORE = (STANDING.name, FIRST_WRITTEN.name)
"""Tables that nobody writes."""

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

NUDGE_LEDGER = Table(
    "nudge_ledger",
    "every decision on a risk change, the no included",
    {
        "decision_id": "String",
        "risk_change_id": "String",
        "nudge_id": "Nullable(String)",  # of the nudge sent, cancelled, or proposed to an instructor
        "learner": "String",
        "course_run": NAME,
        "decided_at": TIME,
        "send_at": "Nullable(DateTime('UTC'))",
        "decision": NAME,
        "reason": NAME,
        "campaign": NAME,
        "variant": NAME,  # of the nudge; empty where none was chosen
        "channel": NAME,
        "policy_version": NAME,
        "propensity": "Float32",
        "partition": PARTITION,
    },
    ("decided_at", "decision_id"),
)

LEARNER_FACTS = Table(
    "learner_facts",
    "what happened to learners besides clicks: enrolments, returns after silence, results, and what they "
    "and others said of nudges",
    {
        "learner": "String",
        "course_run": NAME,  # empty for what concerns the learner in all courses
        "at": TIME,
        "fact": NAME,  # enrolled, returned, withdrawn, completed, preferences, or a kind of feedback
        "nudge_id": "String",  # that it is about; empty where there is none
        "detail": "String",  # the result, the preferences as JSON, the channel
        "fact_id": "String",
        "partition": PARTITION,
    },
    ("learner", "at", "fact_id"),
)

NUDGE_OUTCOMES = Table(
    "nudge_outcomes",
    "what became of those whom chance nudged or held back: a row a decision and outcome, once it is known",
    {
        "decision_id": "String",  # of the ledger
        "outcome": NAME,  # active_7, active_14, exit or completion
        "learner": "String",
        "course_run": NAME,
        "campaign": NAME,
        "variant": NAME,  # empty for the holdout
        "arm": NAME,  # nudged or holdout
        "first": "Bool",  # whether it was the enrolment's first such decision: only these compare
        "propensity": "Float32",  # of what was decided, over all draws
        "decided": DAY,
        "known": DAY,  # the day at whose close it was known
        "happened": "Bool",
        "partition": PARTITION,
    },
    ("campaign", "outcome", "decision_id"),
)

MODEL_METRICS = Table(
    "model_metrics",
    "progressive metrics of the model (test, then train), by day",
    {
        "day": DAY,
        "model_version": "String",
        "metric": NAME,
        "value": "Float64",
        "examples": "UInt64",  # that the value rests on
    },
    ("metric", "day", "model_version"),
)

DATA_QUALITY = Table(
    "data_quality",
    "sources that went quiet or mad, and that are back: a row an event",
    {
        "event_id": "String",
        "occurred_at": TIME,
        "day": DAY,  # at whose close it was found
        "alarm": NAME,  # opened, closed or accepted
        "problem": NAME,
        "source": NAME,
        "course_run": NAME,  # empty: all of the source's
        "kind": NAME,  # empty: all
        "since": DAY,
        "observed": "Float64",
        "expected": "Float64",
        "surprise": "Float32",
        "course_runs": "Array(String)",  # whose learners are affected
    },
    ("occurred_at", "event_id"),
)

MODEL_CALIBRATION = Table(
    "model_calibration",
    "what was estimated and what came, by bin of the estimate, over all examples up to a day",
    {
        "day": DAY,
        "bin": "UInt8",  # the first is the lowest
        "estimated": "Float64",  # mean P(lost)
        "lost": "Float64",  # share that was
        "weight": "Float64",  # of the examples in the bin
        "model_version": "String",
    },
    ("day", "bin"),
)

WORKER_STARTS = Table(
    "worker_starts",
    "when a worker first wrote to the store",
    {"at": TIME, "worker": NAME},
    ("at", "worker"),
)

DEAD_LETTERS = Table(
    "dead_letters",
    "records that could not be applied, and why. Without the payload, which may hold a learner's id: "
    "that stays on the dead-letter topic, where topic, partition and offset lead",
    {
        "dead_letter_id": "String",
        "topic": NAME,
        "partition": PARTITION,
        "offset": "Int64",
        "reason": NAME,
        "field": NAME,
        "detail": "String",
        "received_at": "DateTime64(3, 'UTC')",
    },
    ("topic", "partition", "offset"),
)

UNKNOWN_FIELDS = Table(
    "unknown_fields",
    "fields of messages that the contract does not know, by the day at whose close they are said; records "
    "were applied without them",
    {
        "day": DAY,
        "field": NAME,  # the message's type and the field's name, with a dot between
        "partition": PARTITION,
        "records": "UInt64",
        "version": VERSION,
    },
    ("day", "field", "partition"),
)

LOG_BREAKS = Table(
    "log_breaks",
    "where a topic's log did not join what was applied of it: deleted records, topics made anew, state that "
    "is gone",
    {
        "at": TIME,  # wall clock
        "topic": NAME,
        "partition": PARTITION,
        "topic_id": "String",  # the topic's on the broker, from then on
        "cause": NAME,
        "first_offset": "Int64",
        "last_offset": "Int64",  # included
        "records": "UInt64",  # offsets from the first to the last: lost for certain
        "detail": "String",
    },
    ("topic", "partition", "topic_id", "cause", "first_offset", "last_offset"),
)

PIPELINE_HEALTH = Table(
    "pipeline_health",
    "how a worker's partition was doing, every few seconds of the wall clock; counts are since its last row",
    {
        "at": TIME,  # wall clock
        "worker": NAME,
        "partition": PARTITION,
        "applied_offset": "Int64",
        "lag": "Int64",  # records between the applied offset and the partition's end
        "uncommitted_s": "Float32",  # for how long the oldest batch had waited for its commit
        "watermark": TIME,  # event time
        "events": "UInt64",  # applied
        "dead_letters": "UInt64",
        "batches": "UInt32",
        "batch_records": "UInt32",  # in the largest of them
        "apply_ms": "Float32",  # mean time to apply a batch
        "flush_ms": "Float32",  # time of checkpoints, in all; of which
        "outputs_ms": "Float32",  # … messages to their topics
        "store_ms": "Float32",  # … rows to the store, waiting for it included
        "state_ms": "Float32",  # … state rows to their topic
        "waiting": "UInt64",  # records taken in and not applied
        "state_rows": "UInt64",  # written
        "enrolments": "UInt32",  # held
    },
    ("worker", "partition", "at"),
)

TABLES: dict[str, Table] = {
    table.name: table
    for table in (
        ACTIVITY_HOURLY,
        ENGAGEMENT_DAILY,
        ACTIVITY_DAILY,
        SESSIONS_DAILY,
        PROGRESS_DAILY,
        RETENTION_WEEKLY,
        OUTCOMES,
        RISK_HISTORY,
        STANDING,
        FIRST_WRITTEN,
        RISK_CHANGES,
        RISK_DAILY,
        NUDGE_LEDGER,
        LEARNER_FACTS,
        NUDGE_OUTCOMES,
        MODEL_METRICS,
        DATA_QUALITY,
        MODEL_CALIBRATION,
        WORKER_STARTS,
        DEAD_LETTERS,
        UNKNOWN_FIELDS,
        LOG_BREAKS,
        PIPELINE_HEALTH,
    )
}
