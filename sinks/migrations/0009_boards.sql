-- What the boards read instead of millions of rows: counts that the pipeline makes when it closes a day,
-- and how enrolments ended. Written by the pipeline and not by materialised views, because a
-- sum in a view counts twice what a crash makes come twice, and a row with a key does not.

-- up

CREATE TABLE IF NOT EXISTS activity_daily
(
    day Date,
    course_run LowCardinality(String),
    kind LowCardinality(String),
    `partition` UInt16,
    clicks UInt64,
    active UInt32,
    version UInt64,
    ingested_at DateTime('UTC') DEFAULT now()
)
ENGINE = ReplacingMergeTree(version)
ORDER BY (day, course_run, kind, `partition`)
SETTINGS non_replicated_deduplication_window = 1000;

CREATE TABLE IF NOT EXISTS progress_daily
(
    day Date,
    course_run LowCardinality(String),
    `partition` UInt16,
    course LowCardinality(String),
    starts Nullable(Date),
    ends Nullable(Date),
    `new` UInt32,
    enrolled UInt32,
    started UInt32,
    handed_in UInt32,
    half_way UInt32,
    withdrawn UInt32,
    failed UInt32,
    passed UInt32,
    pending UInt32,
    version UInt64,
    ingested_at DateTime('UTC') DEFAULT now()
)
ENGINE = ReplacingMergeTree(version)
ORDER BY (day, course_run, `partition`)
SETTINGS non_replicated_deduplication_window = 1000;

CREATE TABLE IF NOT EXISTS retention_weekly
(
    course_run LowCardinality(String),
    cohort Date,
    week UInt16,
    `partition` UInt16,
    learners UInt32,
    active UInt32,
    version UInt64,
    ingested_at DateTime('UTC') DEFAULT now()
)
ENGINE = ReplacingMergeTree(version)
ORDER BY (course_run, cohort, week, `partition`)
SETTINGS non_replicated_deduplication_window = 1000;

CREATE TABLE IF NOT EXISTS outcomes
(
    course_run LowCardinality(String),
    learner String,
    day Date,
    outcome LowCardinality(String),
    exit_day Nullable(Date),
    `partition` UInt16,
    version UInt64,
    ingested_at DateTime('UTC') DEFAULT now()
)
ENGINE = ReplacingMergeTree(version)
ORDER BY (course_run, learner)
TTL ingested_at + INTERVAL 2 YEAR
SETTINGS non_replicated_deduplication_window = 1000;

CREATE TABLE IF NOT EXISTS risk_daily
(
    day Date,
    course_run LowCardinality(String),
    `partition` UInt16,
    model_state LowCardinality(String),
    low UInt32,
    medium UInt32,
    high UInt32,
    expected_lost Float64,
    raised UInt32,
    lowered UInt32,
    version UInt64,
    ingested_at DateTime('UTC') DEFAULT now()
)
ENGINE = ReplacingMergeTree(version)
ORDER BY (day, course_run, `partition`)
SETTINGS non_replicated_deduplication_window = 1000;

CREATE TABLE IF NOT EXISTS model_calibration
(
    day Date,
    bin UInt8,
    estimated Float64,
    lost Float64,
    weight Float64,
    model_version String,
    ingested_at DateTime('UTC') DEFAULT now()
)
ENGINE = ReplacingMergeTree
ORDER BY (day, bin)
SETTINGS non_replicated_deduplication_window = 1000;

CREATE TABLE IF NOT EXISTS worker_starts
(
    at DateTime('UTC'),
    worker LowCardinality(String),
    ingested_at DateTime('UTC') DEFAULT now()
)
ENGINE = ReplacingMergeTree
ORDER BY (at, worker)
SETTINGS non_replicated_deduplication_window = 1000;

ALTER TABLE pipeline_health ADD COLUMN IF NOT EXISTS outputs_ms Float32 AFTER flush_ms;

ALTER TABLE pipeline_health ADD COLUMN IF NOT EXISTS store_ms Float32 AFTER outputs_ms;

ALTER TABLE pipeline_health ADD COLUMN IF NOT EXISTS state_ms Float32 AFTER store_ms;

ALTER TABLE pipeline_health ADD COLUMN IF NOT EXISTS waiting UInt64 AFTER state_ms;

-- The Pipeline board asks by the time of writing, which follows event time as long as nothing is replayed.
ALTER TABLE risk_changes ADD INDEX IF NOT EXISTS written ingested_at TYPE minmax;

ALTER TABLE nudge_ledger ADD INDEX IF NOT EXISTS written ingested_at TYPE minmax;

ALTER TABLE dead_letters ADD INDEX IF NOT EXISTS received received_at TYPE minmax;

-- down

ALTER TABLE dead_letters DROP INDEX IF EXISTS received;

ALTER TABLE nudge_ledger DROP INDEX IF EXISTS written;

ALTER TABLE risk_changes DROP INDEX IF EXISTS written;

ALTER TABLE pipeline_health DROP COLUMN IF EXISTS waiting;

ALTER TABLE pipeline_health DROP COLUMN IF EXISTS state_ms;

ALTER TABLE pipeline_health DROP COLUMN IF EXISTS store_ms;

ALTER TABLE pipeline_health DROP COLUMN IF EXISTS outputs_ms;

DROP TABLE IF EXISTS worker_starts;

DROP TABLE IF EXISTS model_calibration;

DROP TABLE IF EXISTS risk_daily;

DROP TABLE IF EXISTS outcomes;

DROP TABLE IF EXISTS retention_weekly;

DROP TABLE IF EXISTS progress_daily;

DROP TABLE IF EXISTS activity_daily;
