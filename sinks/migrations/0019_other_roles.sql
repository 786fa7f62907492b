-- Who is in a course run and no learner (staff, observers, tests, bots, anonymous, machines), by day, for the Pipeline
-- board. Days closed before have none.

-- up

CREATE TABLE IF NOT EXISTS other_roles_daily
(
    day Date,
    course_run LowCardinality(String),
    role LowCardinality(String),
    `partition` UInt16,
    enrolments UInt64,
    events UInt64,
    version UInt64,
    ingested_at DateTime('UTC') DEFAULT now()
)
ENGINE = ReplacingMergeTree(version)
ORDER BY (course_run, role, day, `partition`)
SETTINGS non_replicated_deduplication_window = 1000;

-- down

DROP TABLE IF EXISTS other_roles_daily;
