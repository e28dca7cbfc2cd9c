-- family: functions
-- title: A function
-- question: How often does a function run and how long does it take, against the equal time before?
-- parameter: since time = 7d | from when on
-- parameter: until time = now | until when
-- parameter: before time = @before | where the equal time before begins
-- parameter: function text = | only this function, else type of event; empty for all
-- column: runs integer runs | in the time
-- column: previous_runs integer runs | in the equal time before
-- column: people integer people | users who ran it, or for whom a program did
-- column: previous_people integer people | in the equal time before
-- column: failed integer runs | runs that failed
-- column: p50_ms number ms | half of the runs took no longer
-- column: previous_p50_ms number ms | in the equal time before
-- column: p95_ms number ms | 95 of 100 took no longer
-- column: previous_p95_ms number ms | in the equal time before
-- column: p99_ms number ms | 99 of 100 took no longer
-- column: previous_p99_ms number ms | in the equal time before
WITH people AS (
    SELECT
        count(DISTINCT CASE WHEN e.time >= $since THEN e.who END) AS people,
        count(DISTINCT CASE WHEN e.time < $since THEN e.who END) AS previous_people
    FROM event_days e
    WHERE e.time >= $before AND e.time < $until AND chosen() AND e.runs > 0
        AND (CAST($function AS varchar) = '' OR coalesce(e.function, e.type) = $function)
), taken AS (
    SELECT
        count(*) AS runs, CAST(coalesce(sum(e.failed), 0) AS bigint) AS failed,
        percentiles(e.duration_ms, 0.5, 0.95, 0.99) AS taken_ms
    FROM run_hours e
    WHERE e.time >= $since AND e.time < $until AND chosen()
        AND (CAST($function AS varchar) = '' OR coalesce(e.function, e.type) = $function)
), previous AS (
    SELECT count(*) AS runs, percentiles(e.duration_ms, 0.5, 0.95, 0.99) AS taken_ms
    FROM run_hours e
    WHERE e.time >= $before AND e.time < $since AND chosen()
        AND (CAST($function AS varchar) = '' OR coalesce(e.function, e.type) = $function)
)
SELECT
    t.runs, p.runs AS previous_runs, w.people, w.previous_people, t.failed,
    t.taken_ms[1] AS p50_ms, p.taken_ms[1] AS previous_p50_ms,
    t.taken_ms[2] AS p95_ms, p.taken_ms[2] AS previous_p95_ms,
    t.taken_ms[3] AS p99_ms, p.taken_ms[3] AS previous_p99_ms
FROM taken t CROSS JOIN previous p CROSS JOIN people w
ORDER BY t.runs
