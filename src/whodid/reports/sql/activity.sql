-- family: overview
-- title: Activity over time
-- question: How much is going on in each hour, day, week or month?
-- parameter: since time = 30d | from when on
-- parameter: until time = now | until when
-- parameter: by hour|day|week|month = day | how long a period is
-- parameter: sessions yes|no = yes | no: they are not counted, which takes half as long
-- column: period local | where the period begins; periods without events are left out
-- column: users integer users | active users
-- column: sessions integer sessions | sessions; empty when they are not counted
-- column: events integer events | events
-- column: uses integer events | what was done on purpose
-- column: runs integer runs | runs
-- column: errors integer events | errors
-- chart: line x=period y=users
-- drill: /events?since={period}&until={ends}
WITH people AS (
    SELECT
        period($by, local(e.time)) AS period,
        e.who AS person,
        sum(e.events) AS events,
        sum(e.uses) AS uses,
        sum(e.runs) AS runs,
        sum(e.errors) AS errors
    FROM user_days e
    WHERE e.time >= $since AND e.time < $until AND chosen()
    GROUP BY 1, 2
), visits AS (
    SELECT DISTINCT period($by, local(e.time)) AS period, e.session
    FROM session_days e
    WHERE e.time >= $since AND e.time < $until AND chosen()
        AND CAST($sessions AS varchar) = 'yes'
), visited AS (
    SELECT period, count(session) AS sessions FROM visits GROUP BY 1
), told AS (
    SELECT
        period,
        count(person) AS users,
        CAST(sum(events) AS bigint) AS events,
        CAST(sum(uses) AS bigint) AS uses,
        CAST(sum(runs) AS bigint) AS runs,
        CAST(sum(errors) AS bigint) AS errors
    FROM people
    GROUP BY 1
)
SELECT
    CAST(t.period AS varchar) AS period, t.users,
    CASE WHEN CAST($sessions AS varchar) = 'yes' THEN coalesce(v.sessions, 0) END AS sessions,
    t.events, t.uses, t.runs, t.errors
FROM told t LEFT JOIN visited v ON v.period = t.period
ORDER BY t.period
