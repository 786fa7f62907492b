-- What learners do, counted: no learner is in here, so nothing is ever deleted.
-- A batch that comes twice is dropped at insert by its token (within the last thousand inserts), and by
-- its key at the latest when parts merge. No table is partitioned by date: a few million rows a year do
-- not need it, and a replay of years would touch hundreds of partitions in one insert.

-- up

CREATE TABLE IF NOT EXISTS activity_hourly
(
    course_run LowCardinality(String),
    kind LowCardinality(String),
    hour DateTime('UTC') CODEC(Delta, ZSTD),
    `partition` UInt16,
    tick DateTime('UTC') CODEC(Delta, ZSTD),
    events UInt64,
    clicks UInt64,
    seconds UInt64,
    version UInt64,
    ingested_at DateTime('UTC') DEFAULT now()
)
ENGINE = ReplacingMergeTree(version)
ORDER BY (course_run, kind, hour, `partition`, tick)
SETTINGS non_replicated_deduplication_window = 1000;

CREATE TABLE IF NOT EXISTS engagement_daily
(
    course_run LowCardinality(String),
    day Date,
    `partition` UInt16,
    enrolled UInt32,
    active UInt32,
    active_7 UInt32,
    active_28 UInt32,
    clicks UInt64,
    minutes UInt64,
    `new` UInt32,
    withdrawn UInt32,
    version UInt64,
    ingested_at DateTime('UTC') DEFAULT now()
)
ENGINE = ReplacingMergeTree(version)
ORDER BY (course_run, day, `partition`)
SETTINGS non_replicated_deduplication_window = 1000;

-- down

DROP TABLE IF EXISTS engagement_daily;

DROP TABLE IF EXISTS activity_hourly;
