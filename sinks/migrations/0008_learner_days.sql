-- What each learner did, day by day, for whoever has to talk to them: seven days ride on each estimate, and
-- estimates are written at least weekly, so no day is missing and no row is added.

-- up

ALTER TABLE risk_history ADD COLUMN IF NOT EXISTS clicks Array(UInt16) AFTER version;

-- down

ALTER TABLE risk_history DROP COLUMN IF EXISTS clicks;
