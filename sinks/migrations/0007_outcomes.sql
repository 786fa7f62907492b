-- What became of those whom chance put into an arm: a row an exposure and outcome.

-- up

CREATE TABLE IF NOT EXISTS nudge_outcomes
(
    decision_id String,
    outcome LowCardinality(String),
    learner String,
    course_run LowCardinality(String),
    campaign LowCardinality(String),
    variant LowCardinality(String),
    arm LowCardinality(String),
    first Bool,
    propensity Float32,
    decided Date,
    known Date,
    happened Bool,
    `partition` UInt16,
    ingested_at DateTime('UTC') DEFAULT now()
)
ENGINE = ReplacingMergeTree
ORDER BY (campaign, outcome, decision_id)
TTL ingested_at + INTERVAL 2 YEAR
SETTINGS non_replicated_deduplication_window = 1000;

-- down

DROP TABLE IF EXISTS nudge_outcomes;
