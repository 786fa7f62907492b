"""Tables of how the service itself runs: workers, partitions, and records that could not be applied."""

from sinks.tables.declaration import DAY, NAME, PARTITION, TIME, VERSION, Table

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

SOURCE_EVENTS = Table(
    "source_events",
    "events of platforms' topics by name and by what became of them, as each ingest process counts them",
    {
        "day": DAY,  # of the wall clock, UTC
        "topic": NAME,
        "name": "String",
        "fate": NAME,  # translated, unknown, ignored, repeated, outside, anonymous or voided
        "process": "String",
        "events": "UInt64",  # so far
        "version": VERSION,
    },
    ("day", "topic", "name", "fate", "process"),
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
