-- Who reads why an enrolment's risk rose reads what would bring it down as well: `standing` keeps the reliefs of the
-- last change beside its reasons. A column of their own, as the tuple in `why` cannot get wider.

-- up

ALTER TABLE standing ADD COLUMN IF NOT EXISTS reliefs AggregateFunction(argMax,
    Array(String), Tuple(Date, UInt64)) AFTER why;

DROP VIEW IF EXISTS standing_change_mv;

CREATE MATERIALIZED VIEW IF NOT EXISTS standing_change_mv TO standing AS
SELECT course_run, learner,
       argMaxState((occurred_at, toString(previous_level), previous_probability), (day, version)) AS change,
       argMaxState((reasons, contributions, features), (day, version)) AS why,
       argMaxState(risk_changes.reliefs, (day, version)) AS reliefs
FROM risk_changes
GROUP BY course_run, learner;

-- What was written before. Rows that the view has folded in meanwhile may come twice.
INSERT INTO standing (course_run, learner, change, why, reliefs)
SELECT course_run, learner,
       argMaxState((occurred_at, toString(previous_level), previous_probability), (day, version)),
       argMaxState((reasons, contributions, features), (day, version)),
       argMaxState(reliefs, (day, version))
FROM risk_changes
GROUP BY course_run, learner;

-- down

DROP VIEW IF EXISTS standing_change_mv;

CREATE MATERIALIZED VIEW IF NOT EXISTS standing_change_mv TO standing AS
SELECT course_run, learner,
       argMaxState((occurred_at, toString(previous_level), previous_probability), (day, version)) AS change,
       argMaxState((reasons, contributions, features), (day, version)) AS why
FROM risk_changes
GROUP BY course_run, learner;

-- What came between the two views.
INSERT INTO standing (course_run, learner, change, why)
SELECT course_run, learner,
       argMaxState((occurred_at, toString(previous_level), previous_probability), (day, version)),
       argMaxState((reasons, contributions, features), (day, version))
FROM risk_changes
GROUP BY course_run, learner;

ALTER TABLE standing DROP COLUMN IF EXISTS reliefs;
