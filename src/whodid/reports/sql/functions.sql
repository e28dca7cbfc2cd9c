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
WITH counted AS (
    SELECT
        e.function,
        CAST(sum(e.runs) AS bigint) AS runs,
        count(DISTINCT CASE WHEN e.runs > 0 THEN e.who END) AS people
    FROM event_days e
    WHERE e.time >= $since AND e.time < $until AND chosen() AND e.function IS NOT NULL
    GROUP BY 1
), taken AS (
    SELECT
        e.function,
        CAST(sum(e.failed) AS bigint) AS errors,
        listed_percentiles(e.durations, 0.5, 0.95, 0.99, 1.0) AS taken_ms,
        sum(e.total_ms) / 3600000 AS total_hours,
        max(e.last) AS last
    FROM run_lists e
    WHERE e.time >= $since AND e.time < $until AND chosen() AND e.function IS NOT NULL
    GROUP BY 1
)
SELECT
    c.function, c.runs, c.people, t.errors,
    100 * CAST(t.errors AS double precision) / c.runs AS failed_percent,
    t.taken_ms[1] AS p50_ms, t.taken_ms[2] AS p95_ms, t.taken_ms[3] AS p99_ms,
    t.taken_ms[4] AS longest_ms, t.total_hours, t.last, count(*) OVER () AS "of"
FROM counted c JOIN taken t ON t.function = c.function
ORDER BY 2 DESC, 1
LIMIT $limit
