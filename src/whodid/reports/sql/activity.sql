-- family: overview
-- title: Activity over time
-- question: How much is going on in each hour, day, week or month?
-- parameter: since time = 30d | from when on
-- parameter: until time = now | until when
-- parameter: by hour|day|week|month = day | how long a period is
-- column: period local | where the period begins; periods without events are left out
-- column: users integer users | active users
-- column: sessions integer sessions | sessions
-- column: events integer events | events
-- column: uses integer events | what was done on purpose
-- column: runs integer runs | runs
-- column: errors integer events | errors
-- chart: line x=period y=users
-- drill: /events?since={period}
WITH told AS (
    SELECT
        period($by, local(e.time)) AS period,
        count(DISTINCT who()) AS users,
        count(DISTINCT e.session) AS sessions,
        count(*) AS events,
        count(*) FILTER (WHERE is_use()) AS uses,
        count(*) FILTER (WHERE is_run()) AS runs,
        count(*) FILTER (WHERE is_error()) AS errors
    FROM events e
    WHERE e.time >= $since AND e.time < $until AND chosen()
    GROUP BY 1
)
SELECT CAST(period AS varchar) AS period, users, sessions, events, uses, runs, errors
FROM told
ORDER BY period
