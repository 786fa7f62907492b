-- Accounts that were merged and course runs that were renamed: whose history goes on under which name. And an enrolment
-- that goes on under another name is gone from the list of its old one.

-- up

CREATE TABLE IF NOT EXISTS former_names
(
    learner String,
    course_run LowCardinality(String),
    former_learner String,
    former_run LowCardinality(String),
    ingested_at SimpleAggregateFunction(max, DateTime('UTC')) DEFAULT now()
)
ENGINE = AggregatingMergeTree
ORDER BY (learner, course_run, former_learner, former_run)
TTL ingested_at + INTERVAL 2 YEAR
SETTINGS non_replicated_deduplication_window = 1000;

CREATE MATERIALIZED VIEW IF NOT EXISTS former_names_mv TO former_names AS
SELECT if(fact = 'merged', detail, learner) AS learner,
       if(fact = 'merged', toString(course_run), detail) AS course_run,
       learner_facts.learner AS former_learner,
       learner_facts.course_run AS former_run
FROM learner_facts
WHERE fact IN ('merged', 'renamed');

CREATE MATERIALIZED VIEW IF NOT EXISTS standing_moved_mv TO standing AS
SELECT course_run, learner, max(at) AS gone_at
FROM learner_facts
WHERE fact IN ('merged', 'renamed')
GROUP BY course_run, learner;

-- down

DROP VIEW IF EXISTS standing_moved_mv;

DROP VIEW IF EXISTS former_names_mv;

DROP TABLE IF EXISTS former_names;
