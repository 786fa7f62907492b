-- Which sources went quiet or mad, and which risk changes were made on such days.

-- up

CREATE TABLE IF NOT EXISTS data_quality
(
    event_id String,
    occurred_at DateTime('UTC') CODEC(Delta, ZSTD),
    day Date,
    alarm LowCardinality(String),
    problem LowCardinality(String),
    source LowCardinality(String),
    course_run LowCardinality(String),
    kind LowCardinality(String),
    since Date,
    observed Float64,
    expected Float64,
    surprise Float32,
    course_runs Array(String),
    ingested_at DateTime('UTC') DEFAULT now()
)
ENGINE = ReplacingMergeTree
ORDER BY (occurred_at, event_id)
SETTINGS non_replicated_deduplication_window = 1000;

ALTER TABLE risk_changes ADD COLUMN IF NOT EXISTS data_quality LowCardinality(String) DEFAULT 'ok' AFTER model_version;

-- down

ALTER TABLE risk_changes DROP COLUMN IF EXISTS data_quality;

DROP TABLE IF EXISTS data_quality;
