-- Fields that platforms send and the contract does not know, by day and name: for `homeroom doctor` and the Pipeline
-- board. Days closed before have none.

-- up

CREATE TABLE IF NOT EXISTS unknown_fields
(
    day Date,
    field LowCardinality(String),
    `partition` UInt16,
    records UInt64,
    version UInt64,
    ingested_at DateTime('UTC') DEFAULT now()
)
ENGINE = ReplacingMergeTree(version)
ORDER BY (day, field, `partition`)
SETTINGS non_replicated_deduplication_window = 1000;

-- down

DROP TABLE IF EXISTS unknown_fields;
