-- Each enrolment's risk: its history, its newest state, and the transitions between levels.
-- What is kept is counted from the day of insertion, never from event time: a replay of an old term
-- must not be deleted while it is being written. Two years let a course run be compared with the last.

-- up

CREATE TABLE IF NOT EXISTS risk_history
(
    learner String,
    course_run LowCardinality(String),
    day Date,
    probability Float32,
    exit_probability Nullable(Float32),
    level LowCardinality(String),
    model_state LowCardinality(String),
    model_version String,
    `partition` UInt16,
    version UInt64,
    ingested_at DateTime('UTC') DEFAULT now()
)
ENGINE = ReplacingMergeTree(version)
ORDER BY (course_run, learner, day)
TTL ingested_at + INTERVAL 2 YEAR
SETTINGS non_replicated_deduplication_window = 1000;

CREATE TABLE IF NOT EXISTS risk_latest
(
    learner String,
    course_run LowCardinality(String),
    day Date,
    probability Float32,
    exit_probability Nullable(Float32),
    level LowCardinality(String),
    model_state LowCardinality(String),
    model_version String,
    `partition` UInt16,
    version UInt64,
    ingested_at DateTime('UTC') DEFAULT now()
)
ENGINE = ReplacingMergeTree(day)
ORDER BY (course_run, learner)
TTL ingested_at + INTERVAL 2 YEAR
SETTINGS non_replicated_deduplication_window = 1000;

CREATE MATERIALIZED VIEW IF NOT EXISTS risk_latest_mv TO risk_latest AS
SELECT learner, course_run, day, probability, exit_probability, level, model_state, model_version,
       `partition`, version
FROM risk_history;

-- Picks the newest row first; whoever filters by day or level filters what has been picked. The other way
-- round a learner who was at risk last week and is well today would still be listed. The row is picked as
-- one tuple, because argMax of a single column steps over NULL and would mix an old value with a new row.
CREATE VIEW IF NOT EXISTS risk_now AS
SELECT learner, course_run,
       picked.1 AS day, picked.2 AS probability, picked.3 AS exit_probability, picked.4 AS level,
       picked.5 AS model_state, picked.6 AS model_version, picked.7 AS `partition`, picked.8 AS version
FROM
(
    SELECT learner, course_run,
           argMax((day, probability, exit_probability, level, model_state, model_version, `partition`, version),
                  (day, version)) AS picked
    FROM risk_latest
    GROUP BY learner, course_run
);

CREATE TABLE IF NOT EXISTS risk_changes
(
    risk_change_id String,
    learner String,
    course_run LowCardinality(String),
    occurred_at DateTime('UTC') CODEC(Delta, ZSTD),
    day Date,
    previous_level LowCardinality(String),
    level LowCardinality(String),
    probability Float32,
    previous_probability Float32,
    model_state LowCardinality(String),
    model_version String,
    reasons Array(String),
    contributions Array(Float32),
    `partition` UInt16,
    version UInt64,
    ingested_at DateTime('UTC') DEFAULT now()
)
ENGINE = ReplacingMergeTree(version)
ORDER BY (occurred_at, risk_change_id)
TTL ingested_at + INTERVAL 2 YEAR
SETTINGS non_replicated_deduplication_window = 1000;

-- down

DROP TABLE IF EXISTS risk_changes;

DROP VIEW IF EXISTS risk_now;

DROP VIEW IF EXISTS risk_latest_mv;

DROP TABLE IF EXISTS risk_latest;

DROP TABLE IF EXISTS risk_history;
