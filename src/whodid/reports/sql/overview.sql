-- family: overview
-- title: Overview
-- question: How much is going on, against the equal time before?
-- parameter: since time = 30d | from when on
-- parameter: until time = now | until when
-- parameter: before time = @before | where the equal time before begins
-- column: measure text | what is counted
-- column: unit text | in what
-- column: value integer | in the time; for a day, a week, a month: in the last one before `until`
-- column: previous integer | in the equal time before; empty when most of it was not recorded
-- column: change_percent number % | value against previous, to a tenth
-- chart: bar x=value y=measure
WITH spans AS (
    SELECT
        CAST($since AS timestamp) AS since, CAST($until AS timestamp) AS until, CAST($before AS timestamp) AS before,
        CAST($until AS timestamp) - INTERVAL '1 day' AS day,
        CAST($until AS timestamp) - INTERVAL '2 days' AS day_before,
        CAST($until AS timestamp) - INTERVAL '7 days' AS week,
        CAST($until AS timestamp) - INTERVAL '14 days' AS week_before,
        CAST($until AS timestamp) - INTERVAL '30 days' AS month,
        CAST($until AS timestamp) - INTERVAL '60 days' AS month_before
), seen AS (
    SELECT
        who() AS login,
        e.session,
        count(*) FILTER (WHERE e.time >= $since) AS events,
        count(*) FILTER (WHERE e.time >= $since AND is_run()) AS runs,
        count(*) FILTER (WHERE e.time >= $since AND is_error()) AS errors,
        count(*) FILTER (WHERE e.time >= $before AND e.time < $since) AS previous_events,
        count(*) FILTER (WHERE e.time >= $before AND e.time < $since AND is_run()) AS previous_runs,
        count(*) FILTER (WHERE e.time >= $before AND e.time < $since AND is_error()) AS previous_errors,
        max(e.time) AS last,
        count(*) FILTER (WHERE e.time >= s.day_before AND e.time < s.day) AS day_before,
        count(*) FILTER (WHERE e.time >= s.week_before AND e.time < s.week) AS week_before,
        count(*) FILTER (WHERE e.time < s.month AND e.time >= s.month_before) AS month_before
    FROM events e CROSS JOIN spans s
    WHERE e.time >= least(CAST($before AS timestamp), CAST($until AS timestamp) - INTERVAL '60 days')
        AND e.time < $until AND chosen()
    GROUP BY 1, 2
), first_seen AS (
    SELECT who() AS login, min(e.time) AS at
    FROM events e
    WHERE e.time < $until AND chosen()
    GROUP BY 1
), recorded AS (
    SELECT min(e.time) AS since FROM events e
), added AS (
    SELECT
        count(DISTINCT n.login) FILTER (WHERE n.last >= s.day) AS day,
        count(DISTINCT n.login) FILTER (WHERE n.day_before > 0) AS day_before,
        count(DISTINCT n.login) FILTER (WHERE n.last >= s.week) AS week,
        count(DISTINCT n.login) FILTER (WHERE n.week_before > 0) AS week_before,
        count(DISTINCT n.login) FILTER (WHERE n.last >= s.month) AS month,
        count(DISTINCT n.login) FILTER (WHERE n.month_before > 0) AS month_before,
        count(DISTINCT n.login) FILTER (WHERE n.events > 0) AS users,
        count(DISTINCT n.login) FILTER (WHERE n.previous_events > 0) AS previous_users,
        count(DISTINCT n.session) FILTER (WHERE n.events > 0) AS sessions,
        count(DISTINCT n.session) FILTER (WHERE n.previous_events > 0) AS previous_sessions,
        coalesce(sum(n.events), 0) AS events, coalesce(sum(n.previous_events), 0) AS previous_events,
        coalesce(sum(n.runs), 0) AS runs, coalesce(sum(n.previous_runs), 0) AS previous_runs,
        coalesce(sum(n.errors), 0) AS errors, coalesce(sum(n.previous_errors), 0) AS previous_errors
    FROM seen n CROSS JOIN spans s
), arrived AS (
    SELECT
        count(*) FILTER (WHERE at >= $since) AS users,
        count(*) FILTER (WHERE at >= $before AND at < $since) AS previous_users
    FROM first_seen
    WHERE login IS NOT NULL
), counted AS (
    SELECT 1 AS place, 'active users' AS measure, 'users' AS unit, a.users AS value, a.previous_users AS previous,
        s.before AS begins, s.since AS ends
    FROM added a CROSS JOIN spans s
    UNION ALL
    SELECT 2, 'active users, last day', 'users', a.day, a.day_before, s.day_before, s.day
    FROM added a CROSS JOIN spans s
    UNION ALL
    SELECT 3, 'active users, last 7 days', 'users', a.week, a.week_before, s.week_before, s.week
    FROM added a CROSS JOIN spans s
    UNION ALL
    SELECT 4, 'active users, last 30 days', 'users', a.month, a.month_before, s.month_before, s.month
    FROM added a CROSS JOIN spans s
    UNION ALL
    SELECT 5, 'new users', 'users', a.users, a.previous_users, s.before, s.since FROM arrived a CROSS JOIN spans s
    UNION ALL
    SELECT 6, 'sessions', 'sessions', a.sessions, a.previous_sessions, s.before, s.since
    FROM added a CROSS JOIN spans s
    UNION ALL
    SELECT 7, 'events', 'events', a.events, a.previous_events, s.before, s.since FROM added a CROSS JOIN spans s
    UNION ALL
    SELECT 8, 'runs', 'runs', a.runs, a.previous_runs, s.before, s.since FROM added a CROSS JOIN spans s
    UNION ALL
    SELECT 9, 'errors', 'events', a.errors, a.previous_errors, s.before, s.since FROM added a CROSS JOIN spans s
), known AS (
    SELECT
        c.place, c.measure, c.unit, CAST(c.value AS bigint) AS value,
        CASE WHEN r.since <= c.begins + (c.ends - c.begins) * 0.1 THEN CAST(c.previous AS bigint) END AS previous
    FROM counted c CROSS JOIN recorded r
)
SELECT
    measure,
    unit,
    value,
    previous,
    CAST(
        CAST(CAST(value - previous AS double precision) * 100 / nullif(previous, 0) AS decimal(18, 1))
        AS double precision
    ) AS change_percent
FROM known
ORDER BY place
