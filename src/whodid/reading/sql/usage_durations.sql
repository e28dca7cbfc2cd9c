-- How long runs took, by function, else by type of event. `of` is the number of all of these.
SELECT
    coalesce(e."function", e."type") AS function,
    count(*) AS runs,
    count(*) FILTER (WHERE {error}) AS errors,
    percentile_cont(0.5) WITHIN GROUP (ORDER BY e."duration_ms") AS duration_ms_median,
    percentile_cont(0.95) WITHIN GROUP (ORDER BY e."duration_ms") AS duration_ms_p95,
    max(e."duration_ms") AS duration_ms_max,
    count(*) OVER () AS "of"
FROM {source} e
WHERE {where} AND {run}
GROUP BY 1
ORDER BY 2 DESC, 1
LIMIT {limit}
