-- Rows of an hour or day that are alike lie together, as `duckdb_hours` puts them since.
CREATE OR REPLACE TABLE kept_thing_hours AS
FROM kept_thing_hours ORDER BY hour, entity_type, entity_id, type, function, who;
CREATE OR REPLACE TABLE kept_touched_hours AS
FROM kept_touched_hours ORDER BY hour, entity_type, entity_id, type, function, who;
CREATE OR REPLACE TABLE kept_user_hours AS FROM kept_user_hours ORDER BY hour, who;
CREATE OR REPLACE TABLE kept_run_hours AS FROM kept_run_hours ORDER BY hour, function;
CREATE OR REPLACE TABLE kept_thing_days AS
FROM kept_thing_days ORDER BY day, entity_type, entity_id, type, function, who;
CREATE OR REPLACE TABLE kept_touched_days AS
FROM kept_touched_days ORDER BY day, entity_type, entity_id, type, function, who;
CREATE OR REPLACE TABLE kept_user_days AS FROM kept_user_days ORDER BY day, who;
