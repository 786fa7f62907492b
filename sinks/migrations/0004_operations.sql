-- How the pipeline and its model are doing.

-- up

CREATE TABLE IF NOT EXISTS model_metrics
(
    day Date,
    model_version String,
    metric LowCardinality(String),
    value Float64,
    examples UInt64,
    ingested_at DateTime('UTC') DEFAULT now()
)
ENGINE = ReplacingMergeTree
ORDER BY (metric, day, model_version)
SETTINGS non_replicated_deduplication_window = 1000;

CREATE TABLE IF NOT EXISTS dead_letters
(
    dead_letter_id String,
    topic LowCardinality(String),
    `partition` UInt16,
    `offset` Int64,
    reason LowCardinality(String),
    field LowCardinality(String),
    detail String,
    received_at DateTime64(3, 'UTC'),
    ingested_at DateTime('UTC') DEFAULT now()
)
ENGINE = ReplacingMergeTree
ORDER BY (topic, `partition`, `offset`)
TTL ingested_at + INTERVAL 180 DAY
SETTINGS non_replicated_deduplication_window = 1000;

-- `at` is the wall clock, so here it may decide what is kept.
CREATE TABLE IF NOT EXISTS pipeline_health
(
    at DateTime('UTC') CODEC(Delta, ZSTD),
    worker LowCardinality(String),
    `partition` UInt16,
    applied_offset Int64,
    lag Int64,
    watermark DateTime('UTC'),
    events UInt64,
    dead_letters UInt64,
    batches UInt32,
    batch_records UInt32,
    apply_ms Float32,
    flush_ms Float32,
    state_rows UInt64,
    enrolments UInt32,
    ingested_at DateTime('UTC') DEFAULT now()
)
ENGINE = ReplacingMergeTree
ORDER BY (worker, `partition`, at)
TTL at + INTERVAL 90 DAY
SETTINGS non_replicated_deduplication_window = 1000;

-- down

DROP TABLE IF EXISTS pipeline_health;

DROP TABLE IF EXISTS dead_letters;

DROP TABLE IF EXISTS model_metrics;
