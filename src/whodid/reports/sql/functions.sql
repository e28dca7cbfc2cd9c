-- family: functions
-- title: Functions
-- question: What is run, by how many, and how long does it take?
-- parameter: since time = 7d | from when on
-- parameter: until time = now | until when
-- parameter: limit integer = 100 | rows at most
-- column: function text | the function
-- column: runs integer runs | how many with a known duration
-- column: people integer people | users who ran it, or for whom a program did
-- column: errors integer runs | runs that failed
-- column: failed_percent number % | their share
-- column: p50_ms number ms | half of the runs took no longer
-- column: p95_ms number ms | 95 of 100 took no longer
-- column: p99_ms number ms | 99 of 100 took no longer
-- column: longest_ms number ms | the longest
-- column: total_hours number h | all runs together
-- column: last time | the latest
-- chart: bar x=p95_ms y=function
-- drill: /functions/{function}
SELECT
    e.function,
    count(*) AS runs,
    count(DISTINCT who()) AS people,
    count(*) FILTER (WHERE e.status = 'failed' OR is_error()) AS errors,
    100 * CAST(count(*) FILTER (WHERE e.status = 'failed' OR is_error()) AS double precision) / count(*)
        AS failed_percent,
    percentile(0.5, e.duration_ms) AS p50_ms,
    percentile(0.95, e.duration_ms) AS p95_ms,
    percentile(0.99, e.duration_ms) AS p99_ms,
    max(e.duration_ms) AS longest_ms,
    sum(e.duration_ms) / 3600000 AS total_hours,
    max(e.time) AS last,
    count(*) OVER () AS "of"
FROM events e
WHERE e.time >= $since AND e.time < $until AND chosen() AND e.function IS NOT NULL AND is_run()
GROUP BY 1
ORDER BY 2 DESC, 1
LIMIT $limit
