-- Sessions by day, for the Engagement board. Days closed before have none.

-- up

CREATE TABLE IF NOT EXISTS sessions_daily
(
    day Date,
    course_run LowCardinality(String),
    `partition` UInt16,
    learners UInt32,
    sessions UInt64,
    hours UInt64,
    seconds UInt64,
    version UInt64,
    ingested_at DateTime('UTC') DEFAULT now()
)
ENGINE = ReplacingMergeTree(version)
ORDER BY (day, course_run, `partition`)
SETTINGS non_replicated_deduplication_window = 1000;

-- down

DROP TABLE IF EXISTS sessions_daily;
