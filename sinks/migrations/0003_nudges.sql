-- The ledger: what was decided on every risk change, by which policy, with what propensity.

-- up

CREATE TABLE IF NOT EXISTS nudge_ledger
(
    decision_id String,
    risk_change_id String,
    nudge_id Nullable(String),
    learner String,
    course_run LowCardinality(String),
    decided_at DateTime('UTC') CODEC(Delta, ZSTD),
    send_at Nullable(DateTime('UTC')),
    decision LowCardinality(String),
    reason LowCardinality(String),
    campaign LowCardinality(String),
    policy_version LowCardinality(String),
    propensity Float32,
    `partition` UInt16,
    ingested_at DateTime('UTC') DEFAULT now()
)
ENGINE = ReplacingMergeTree
ORDER BY (decided_at, decision_id)
TTL ingested_at + INTERVAL 2 YEAR
SETTINGS non_replicated_deduplication_window = 1000;

-- down

DROP TABLE IF EXISTS nudge_ledger;
