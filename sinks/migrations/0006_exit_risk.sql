-- Each risk change also says how soon the learner may leave. Changes written before have no such estimate.

-- up

ALTER TABLE risk_changes ADD COLUMN IF NOT EXISTS exit_probability Nullable(Float32) AFTER previous_probability;

-- down

ALTER TABLE risk_changes DROP COLUMN IF EXISTS exit_probability;
