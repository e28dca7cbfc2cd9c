-- How often a function ran and how long it took, from $split on and before.
SELECT
    e.time >= $split AS is_current,
    count(*) AS runs,
    count(DISTINCT who()) AS people,
    count(*) FILTER (WHERE e.status = 'failed' OR is_error()) AS failed,
    percentile(0.5, e.duration_ms) AS p50_ms,
    percentile(0.95, e.duration_ms) AS p95_ms,
    percentile(0.99, e.duration_ms) AS p99_ms
FROM events e
WHERE chosen() AND is_run()
GROUP BY 1
