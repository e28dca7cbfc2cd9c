-- How long runs took lies in order in each list: percentiles of many of them are three quarters of the work. Lists tell
-- their sum and their latest time, so that a report that takes no run by itself need not take the times apart.
CREATE FUNCTION whodid.sum_of(list double precision[]) RETURNS double precision
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS 'SELECT sum(one) FROM unnest(list) AS l (one)';
CREATE FUNCTION whodid.latest_of(list timestamp[]) RETURNS timestamp
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS 'SELECT max(one) FROM unnest(list) AS l (one)';

DO $do$
DECLARE
    gathering text;
BEGIN
    FOREACH gathering IN ARRAY ARRAY['merge_hours(int)', 'gather_runs(timestamp[])'] LOOP
        EXECUTE replace(
            pg_get_functiondef(('whodid.' || gathering)::regprocedure),
            'array_agg(duration_ms), array_agg(time)',
            'array_agg(duration_ms ORDER BY duration_ms), array_agg(time ORDER BY duration_ms)'
        );
    END LOOP;
END
$do$;

CREATE TEMP TABLE lists_in_order ON COMMIT DROP AS
SELECT r.hour, r.has_failed, r.type, r.level, r.topic, r.function, o.durations, o.times
FROM whodid.kept_run_hours r
CROSS JOIN LATERAL (
    SELECT array_agg(duration_ms ORDER BY duration_ms) AS durations, array_agg(time ORDER BY duration_ms) AS times
    FROM unnest(r.durations, r.times) AS runs (duration_ms, time)
) o;
TRUNCATE whodid.kept_run_hours;
ALTER TABLE whodid.kept_run_hours
    ADD COLUMN total_ms double precision GENERATED ALWAYS AS (whodid.sum_of(durations)) STORED,
    ADD COLUMN last timestamp GENERATED ALWAYS AS (whodid.latest_of(times)) STORED;
INSERT INTO whodid.kept_run_hours (hour, has_failed, type, level, topic, function, durations, times)
SELECT hour, has_failed, type, level, topic, function, durations, times FROM lists_in_order ORDER BY hour;
ANALYZE whodid.kept_run_hours;

CREATE VIEW whodid.run_lists AS
SELECT
    hour, type, level, topic, function, cardinality(durations) AS events,
    CASE WHEN has_failed THEN cardinality(durations) ELSE 0 END AS failed, durations, total_ms, last
FROM whodid.kept_run_hours
UNION ALL
SELECT
    date_trunc('hour', time), type, level, topic, function, 1, has_failed::int, ARRAY[duration_ms], duration_ms, time
FROM whodid.waiting_events
WHERE duration_ms IS NOT NULL;
