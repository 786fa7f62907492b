-- When something was written for the first time, for the Pipeline board, whose axis is the wall clock. A table whose
-- rows are replaced cannot tell: after a repeat and a merge only the repeat is left, with its later time. The smallest
-- time is the same however often a row comes, and whenever the store merges. Sorted by event time as those tables are,
-- so that the index by the time of writing passes over most of it.

-- up

CREATE TABLE IF NOT EXISTS first_written
(
    kind LowCardinality(String),
    occurred_at DateTime('UTC') CODEC(Delta, ZSTD),
    id String,
    label SimpleAggregateFunction(max, String),
    ingested_at SimpleAggregateFunction(min, DateTime('UTC')) DEFAULT now(),
    INDEX written ingested_at TYPE minmax
)
ENGINE = AggregatingMergeTree
ORDER BY (kind, occurred_at, id)
TTL ingested_at + INTERVAL 2 YEAR DELETE WHERE kind IN ('risk_change', 'decision')
SETTINGS non_replicated_deduplication_window = 1000;

CREATE MATERIALIZED VIEW IF NOT EXISTS first_risk_change_mv TO first_written AS
SELECT 'risk_change' AS kind, occurred_at, risk_change_id AS id, toString(level) AS label, ingested_at
FROM risk_changes;

CREATE MATERIALIZED VIEW IF NOT EXISTS first_decision_mv TO first_written AS
SELECT 'decision' AS kind, decided_at AS occurred_at, decision_id AS id,
       if(decision = 'send', 'sent', concat(decision, ': ', reason)) AS label, ingested_at
FROM nudge_ledger;

CREATE MATERIALIZED VIEW IF NOT EXISTS first_policy_mv TO first_written AS
SELECT 'policy' AS kind, toDateTime(0, 'UTC') AS occurred_at, toString(policy_version) AS id, '' AS label,
       min(ingested_at) AS ingested_at
FROM nudge_ledger
GROUP BY policy_version;

CREATE MATERIALIZED VIEW IF NOT EXISTS first_model_event_mv TO first_written AS
SELECT 'model_event' AS kind, toDateTime(day, 'UTC') AS occurred_at, toString(metric) AS id, '' AS label,
       min(ingested_at) AS ingested_at
FROM model_metrics
WHERE startsWith(metric, 'event/')
GROUP BY metric, day;

-- What was written before, as far as its first time is still known. Rows that the views have taken meanwhile may come
-- twice.
INSERT INTO first_written (kind, occurred_at, id, label, ingested_at)
SELECT 'risk_change', occurred_at, risk_change_id, toString(level), ingested_at
FROM risk_changes;

INSERT INTO first_written (kind, occurred_at, id, label, ingested_at)
SELECT 'decision', decided_at, decision_id, if(decision = 'send', 'sent', concat(decision, ': ', reason)), ingested_at
FROM nudge_ledger;

INSERT INTO first_written (kind, occurred_at, id, label, ingested_at)
SELECT 'policy', toDateTime(0, 'UTC'), toString(policy_version), '', min(ingested_at)
FROM nudge_ledger
GROUP BY policy_version;

INSERT INTO first_written (kind, occurred_at, id, label, ingested_at)
SELECT 'model_event', toDateTime(day, 'UTC'), toString(metric), '', min(ingested_at)
FROM model_metrics
WHERE startsWith(metric, 'event/')
GROUP BY metric, day;

-- down

DROP VIEW IF EXISTS first_model_event_mv;

DROP VIEW IF EXISTS first_policy_mv;

DROP VIEW IF EXISTS first_decision_mv;

DROP VIEW IF EXISTS first_risk_change_mv;

DROP TABLE IF EXISTS first_written;
