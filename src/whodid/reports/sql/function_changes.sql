-- family: functions
-- title: Functions that changed
-- question: Which functions became slower, failed more, or are run more or less than before?
-- parameter: since time = 7d | from when on
-- parameter: until time = now | until when
-- parameter: before time = @before | where the equal time before begins
-- parameter: at_least integer = 20 | runs in one of both times
-- parameter: limit integer = 100 | rows at most
-- column: function text | the function
-- column: runs integer runs | in the time
-- column: previous_runs integer runs | in the equal time before
-- column: users integer users | in the time
-- column: previous_users integer users | in the equal time before
-- column: p50_ms number ms | half of the runs took no longer
-- column: previous_p50_ms number ms | in the equal time before
-- column: p95_ms number ms | 95 of 100 took no longer
-- column: previous_p95_ms number ms | in the equal time before
-- column: p95_change_percent number % | against before, to a tenth
-- column: failed_percent number % | share of runs that failed
-- column: previous_failed_percent number % | in the equal time before
-- chart: bar x=p95_change_percent y=function
-- drill: /functions/{function}
WITH people AS (
    SELECT function, sum(is_current) AS users, sum(was_before) AS previous_users
    FROM (
        SELECT
            e.function, e.who, max(CASE WHEN e.time >= $since THEN 1 ELSE 0 END) AS is_current,
            max(CASE WHEN e.time < $since THEN 1 ELSE 0 END) AS was_before
        FROM event_days e
        WHERE e.time >= $before AND e.time < $until AND chosen() AND e.function IS NOT NULL AND e.runs > 0
            AND e.who IS NOT NULL
        GROUP BY 1, 2
    ) each_of_them
    GROUP BY 1
), taken AS (
    SELECT
        e.function, CAST(sum(e.events) AS bigint) AS runs, listed_percentiles(e.durations, 0.5, 0.95) AS taken_ms,
        CAST(sum(e.failed) AS bigint) AS failed
    FROM run_lists e
    WHERE e.time >= $since AND e.time < $until AND chosen() AND e.function IS NOT NULL
    GROUP BY 1
), previous AS (
    -- Two looks at half of the time each: one at all of it would put every run to the one or the other side.
    SELECT
        e.function, CAST(sum(e.events) AS bigint) AS runs, listed_percentiles(e.durations, 0.5, 0.95) AS taken_ms,
        CAST(sum(e.failed) AS bigint) AS failed
    FROM run_lists e
    WHERE e.time >= $before AND e.time < $since AND chosen() AND e.function IS NOT NULL
    GROUP BY 1
), runs AS (
    SELECT
        coalesce(t.function, p.function) AS function, coalesce(t.runs, 0) AS runs,
        coalesce(p.runs, 0) AS previous_runs, t.taken_ms, p.taken_ms AS previous_taken_ms,
        coalesce(t.failed, 0) AS failed, coalesce(p.failed, 0) AS previous_failed
    FROM taken t FULL JOIN previous p ON p.function = t.function
), counted AS (
    SELECT
        r.function, r.runs, r.previous_runs, CAST(coalesce(p.users, 0) AS bigint) AS users,
        CAST(coalesce(p.previous_users, 0) AS bigint) AS previous_users,
        r.taken_ms[1] AS p50_ms, r.previous_taken_ms[1] AS previous_p50_ms,
        r.taken_ms[2] AS p95_ms, r.previous_taken_ms[2] AS previous_p95_ms, r.failed, r.previous_failed
    FROM runs r LEFT JOIN people p ON p.function = r.function
), told AS (
    SELECT
        c.*,
        CAST(CAST(100 * (p95_ms / nullif(previous_p95_ms, 0) - 1) AS decimal(18, 1)) AS double precision)
            AS p95_change_percent
    FROM counted c
    WHERE runs >= $at_least OR previous_runs >= $at_least
)
SELECT
    function, runs, previous_runs, users, previous_users, p50_ms, previous_p50_ms, p95_ms, previous_p95_ms,
    p95_change_percent,
    100 * CAST(failed AS double precision) / nullif(runs, 0) AS failed_percent,
    100 * CAST(previous_failed AS double precision) / nullif(previous_runs, 0) AS previous_failed_percent,
    count(*) OVER () AS "of"
FROM told
ORDER BY p95_change_percent DESC NULLS LAST, runs DESC, function
LIMIT $limit
