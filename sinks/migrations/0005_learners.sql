-- Nudges with variants and channels, what each reason is about, and what learners did and said.

-- up

ALTER TABLE nudge_ledger ADD COLUMN IF NOT EXISTS variant LowCardinality(String) AFTER campaign;

ALTER TABLE nudge_ledger ADD COLUMN IF NOT EXISTS channel LowCardinality(String) AFTER variant;

ALTER TABLE risk_changes ADD COLUMN IF NOT EXISTS features Array(String) AFTER contributions;

CREATE TABLE IF NOT EXISTS learner_facts
(
    learner String,
    course_run LowCardinality(String),
    at DateTime('UTC') CODEC(Delta, ZSTD),
    fact LowCardinality(String),
    nudge_id String,
    detail String,
    fact_id String,
    `partition` UInt16,
    ingested_at DateTime('UTC') DEFAULT now()
)
ENGINE = ReplacingMergeTree
ORDER BY (learner, at, fact_id)
TTL ingested_at + INTERVAL 2 YEAR
SETTINGS non_replicated_deduplication_window = 1000;

-- down

DROP TABLE IF EXISTS learner_facts;

ALTER TABLE risk_changes DROP COLUMN IF EXISTS features;

ALTER TABLE nudge_ledger DROP COLUMN IF EXISTS channel;

ALTER TABLE nudge_ledger DROP COLUMN IF EXISTS variant;
