-- Each risk change also says how soon the learner may leave, and what would bring the risk down. Changes written
-- before have neither.

-- up

ALTER TABLE risk_changes ADD COLUMN IF NOT EXISTS exit_probability Nullable(Float32) AFTER previous_probability;

ALTER TABLE risk_changes ADD COLUMN IF NOT EXISTS reliefs Array(String) AFTER features;

-- down

ALTER TABLE risk_changes DROP COLUMN IF EXISTS reliefs;

ALTER TABLE risk_changes DROP COLUMN IF EXISTS exit_probability;
