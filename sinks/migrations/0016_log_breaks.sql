-- Where a topic's log did not join what was applied of it, with the range of offsets that is lost.

-- up

CREATE TABLE IF NOT EXISTS log_breaks
(
    at DateTime('UTC'),
    topic LowCardinality(String),
    `partition` UInt16,
    topic_id String,
    cause LowCardinality(String),
    first_offset Int64,
    last_offset Int64,
    records UInt64,
    detail String,
    ingested_at DateTime('UTC') DEFAULT now()
)
ENGINE = ReplacingMergeTree
ORDER BY (topic, `partition`, topic_id, cause, first_offset, last_offset)
TTL ingested_at + INTERVAL 365 DAY
SETTINGS non_replicated_deduplication_window = 1000;

-- down

DROP TABLE IF EXISTS log_breaks;
