-- One place for how an enrolment stands: `standing` says all that `risk_latest` said of the newest estimate, so that
-- one goes, and the view risk_now reads the other. Its column `risk` cannot get wider, so `estimate` replaces it.

-- up

ALTER TABLE standing ADD COLUMN IF NOT EXISTS estimate AggregateFunction(argMax,
    Tuple(Date, Float32, Nullable(Float32), String, String, String), Tuple(Date, UInt64)) AFTER learner;

DROP VIEW IF EXISTS standing_risk_mv;

CREATE MATERIALIZED VIEW IF NOT EXISTS standing_estimate_mv TO standing AS
SELECT course_run, learner,
       argMaxState((day, probability, exit_probability, toString(level), toString(model_state), model_version),
                   (day, version)) AS estimate
FROM risk_history
GROUP BY course_run, learner;

-- What was written before. Rows that the view has folded in meanwhile may come twice.
INSERT INTO standing (course_run, learner, estimate)
SELECT course_run, learner,
       argMaxState((day, probability, exit_probability, toString(level), toString(model_state), model_version),
                   (day, version))
FROM risk_history
GROUP BY course_run, learner;

ALTER TABLE standing DROP COLUMN IF EXISTS risk;

DROP VIEW IF EXISTS risk_now;

DROP VIEW IF EXISTS risk_latest_mv;

DROP TABLE IF EXISTS risk_latest;

-- Picks the newest row first; whoever filters by day or level filters what has been picked. The other way
-- round a learner who was at risk last week and is well today would still be listed. Who has no level has not
-- been estimated yet. Gone is who withdrew or completed; the estimate is then the last one before that.
CREATE VIEW IF NOT EXISTS risk_now AS
SELECT learner, course_run,
       newest.1 AS day, newest.2 AS probability, newest.3 AS exit_probability, newest.4 AS level,
       newest.5 AS model_state, newest.6 AS model_version, gone
FROM
(
    SELECT learner, course_run, argMaxMerge(estimate) AS newest, max(gone_at) > toDateTime(0, 'UTC') AS gone
    FROM standing
    GROUP BY course_run, learner
    HAVING newest.4 != ''
);

-- down

DROP VIEW IF EXISTS risk_now;

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

INSERT INTO risk_latest (learner, course_run, day, probability, exit_probability, level, model_state,
                         model_version, `partition`, version)
SELECT learner, course_run, picked.1, picked.2, picked.3, picked.4, picked.5, picked.6, picked.7, picked.8
FROM
(
    SELECT learner, course_run,
           argMax((day, probability, exit_probability, level, model_state, model_version, `partition`, version),
                  (day, version)) AS picked
    FROM risk_history
    GROUP BY learner, course_run
);

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

ALTER TABLE standing ADD COLUMN IF NOT EXISTS risk AggregateFunction(argMax,
    Tuple(Date, Float32, String, String), Tuple(Date, UInt64)) AFTER learner;

DROP VIEW IF EXISTS standing_estimate_mv;

CREATE MATERIALIZED VIEW IF NOT EXISTS standing_risk_mv TO standing AS
SELECT course_run, learner,
       argMaxState((day, probability, toString(level), toString(model_state)), (day, version)) AS risk
FROM risk_history
GROUP BY course_run, learner;

INSERT INTO standing (course_run, learner, risk)
SELECT course_run, learner,
       argMaxState((day, probability, toString(level), toString(model_state)), (day, version))
FROM risk_history
GROUP BY course_run, learner;

ALTER TABLE standing DROP COLUMN IF EXISTS estimate;
