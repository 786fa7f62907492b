-- How each enrolment stands: its newest risk, its last change, the last word on it, whether it has ended. The list
-- of learners at risk picked these anew from three tables at each look; now each insert folds its rows into one
-- row an enrolment. Picking the newest is the same however often a row comes, so a repeat changes nothing.

-- up

CREATE TABLE IF NOT EXISTS standing
(
    course_run LowCardinality(String),
    learner String,
    risk AggregateFunction(argMax, Tuple(Date, Float32, String, String), Tuple(Date, UInt64)),
    change AggregateFunction(argMax, Tuple(DateTime('UTC'), String, Float32), Tuple(Date, UInt64)),
    why AggregateFunction(argMax, Tuple(Array(String), Array(Float32), Array(String)), Tuple(Date, UInt64)),
    word AggregateFunction(argMaxIf, Tuple(DateTime('UTC'), String, String), Tuple(DateTime('UTC'), String), UInt8),
    gone_at SimpleAggregateFunction(max, DateTime('UTC')),
    ingested_at SimpleAggregateFunction(max, DateTime('UTC')) DEFAULT now()
)
ENGINE = AggregatingMergeTree
ORDER BY (course_run, learner)
TTL ingested_at + INTERVAL 2 YEAR
SETTINGS non_replicated_deduplication_window = 1000;

CREATE MATERIALIZED VIEW IF NOT EXISTS standing_risk_mv TO standing AS
SELECT course_run, learner,
       argMaxState((day, probability, toString(level), toString(model_state)), (day, version)) AS risk
FROM risk_history
GROUP BY course_run, learner;

CREATE MATERIALIZED VIEW IF NOT EXISTS standing_change_mv TO standing AS
SELECT course_run, learner,
       argMaxState((occurred_at, toString(previous_level), previous_probability), (day, version)) AS change,
       argMaxState((reasons, contributions, features), (day, version)) AS why
FROM risk_changes
GROUP BY course_run, learner;

CREATE MATERIALIZED VIEW IF NOT EXISTS standing_fact_mv TO standing AS
SELECT course_run, learner,
       argMaxIfState((at, toString(fact), nudge_id), (at, fact_id),
                     fact IN ('helped', 'not_at_risk', 'in_contact')) AS word,
       maxIf(at, fact IN ('withdrawn', 'completed')) AS gone_at
FROM learner_facts
WHERE fact IN ('helped', 'not_at_risk', 'in_contact', 'withdrawn', 'completed')
GROUP BY course_run, learner;

-- What was written before. Rows that the views have folded in meanwhile may come twice.
INSERT INTO standing (course_run, learner, risk)
SELECT course_run, learner,
       argMaxState((day, probability, toString(level), toString(model_state)), (day, version))
FROM risk_latest
GROUP BY course_run, learner;

INSERT INTO standing (course_run, learner, change, why)
SELECT course_run, learner,
       argMaxState((occurred_at, toString(previous_level), previous_probability), (day, version)),
       argMaxState((reasons, contributions, features), (day, version))
FROM risk_changes
GROUP BY course_run, learner;

INSERT INTO standing (course_run, learner, word, gone_at)
SELECT course_run, learner,
       argMaxIfState((at, toString(fact), nudge_id), (at, fact_id),
                     fact IN ('helped', 'not_at_risk', 'in_contact')),
       maxIf(at, fact IN ('withdrawn', 'completed'))
FROM learner_facts
WHERE fact IN ('helped', 'not_at_risk', 'in_contact', 'withdrawn', 'completed')
GROUP BY course_run, learner;

-- down

DROP VIEW IF EXISTS standing_fact_mv;

DROP VIEW IF EXISTS standing_change_mv;

DROP VIEW IF EXISTS standing_risk_mv;

DROP TABLE IF EXISTS standing;
