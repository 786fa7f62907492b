-- Events of platforms' topics by name, so that what the vocabulary does not know is seen: for `homeroom doctor` and the
-- Pipeline board.

-- up

CREATE TABLE IF NOT EXISTS source_events
(
    day Date,
    topic LowCardinality(String),
    name String,
    fate LowCardinality(String),
    process String,
    events UInt64,
    version UInt64,
    ingested_at DateTime('UTC') DEFAULT now()
)
ENGINE = ReplacingMergeTree(version)
ORDER BY (day, topic, name, fate, process)
SETTINGS non_replicated_deduplication_window = 1000;

-- down

DROP TABLE IF EXISTS source_events;
