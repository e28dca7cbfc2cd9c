-- One line of numbers. Events without a user or a session count as events, not as people or sessions.
SELECT
    count(*) AS events,
    count(DISTINCT {person}) AS people,
    count(DISTINCT e."session") AS sessions,
    count(*) FILTER (WHERE {run}) AS runs,
    count(*) FILTER (WHERE {error}) AS errors,
    percentile_cont(0.5) WITHIN GROUP (ORDER BY e."duration_ms") AS duration_ms_median,
    percentile_cont(0.95) WITHIN GROUP (ORDER BY e."duration_ms") AS duration_ms_p95,
    min(e."time") AS first,
    max(e."time") AS last
FROM {source} e
WHERE {where}
