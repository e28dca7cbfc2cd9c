-- Lists are put in order before they are taken apart: percentiles by function need runs in this order, and to sort a list
-- costs a hundredth of sorting its runs.
CREATE OR REPLACE VIEW whodid.run_hours AS
SELECT
    hour, type, level, topic, function, duration_ms, 1 AS events, has_failed::int AS failed, time AS first, time AS last
FROM (
    (
        SELECT hour, has_failed, type, level, topic, function, unnest(durations) AS duration_ms, unnest(times) AS time
        FROM whodid.kept_run_hours
        ORDER BY function
    )
    UNION ALL
    SELECT date_trunc('hour', time), has_failed, type, level, topic, function, duration_ms, time
    FROM whodid.waiting_events
    WHERE duration_ms IS NOT NULL
) runs;
