-- How long batches wait for the commit of their offsets. Rows written before have 0.

-- up

ALTER TABLE pipeline_health ADD COLUMN IF NOT EXISTS uncommitted_s Float32 AFTER lag;

-- down

ALTER TABLE pipeline_health DROP COLUMN IF EXISTS uncommitted_s;
