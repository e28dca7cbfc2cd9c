-- family: overview
-- title: Overview
-- question: How much is going on, against the equal time before?
-- parameter: since time = 30d | from when on
-- parameter: until time = now | until when
-- parameter: before time = @before | where the equal time before begins
-- parameter: day time = @1d | where the last day begins
-- parameter: day_before time = @2d | where the day before that begins
-- parameter: week time = @7d | the same of weeks
-- parameter: week_before time = @14d | the same of weeks
-- parameter: month time = @30d | the same of months of 30 days
-- parameter: month_before time = @60d | the same of months of 30 days
-- parameter: sessions yes|no = yes | no: they are not counted, which takes half as long
-- parameter: windows yes|no = yes | no: without those of the last day, 7 days and 30 days, which takes a third less
-- column: measure text | what is counted
-- column: unit text | in what
-- column: value integer | in the time; for a day, a week, a month: in the last one before `until`
-- column: previous integer | in the equal time before; empty when most of it was not recorded
-- column: change_percent number % | value against previous, to a tenth
-- chart: bar x=value y=measure
WITH seen AS (
    -- One scan for all windows: what lies behind equally many bounds of windows is one row, and `seen_at` a time of it.
    SELECT
        e.who AS login,
        CAST(e.time >= $since AS integer) + CAST(e.time >= $before AS integer)
            + CASE WHEN CAST($windows AS varchar) = 'yes'
                THEN CAST(e.time >= $day AS integer) + CAST(e.time >= $day_before AS integer)
                    + CAST(e.time >= $week AS integer) + CAST(e.time >= $week_before AS integer)
                    + CAST(e.time >= $month AS integer) + CAST(e.time >= $month_before AS integer)
                ELSE 0
            END AS stretch,
        min(e.time) AS seen_at,
        sum(e.events) AS events,
        sum(e.runs) AS runs,
        sum(e.errors) AS errors
    FROM user_days e
    WHERE e.time < $until AND chosen()
    GROUP BY 1, 2
), each_user AS (
    SELECT
        login,
        min(seen_at) AS first,
        max(CASE WHEN seen_at >= $since THEN 1 ELSE 0 END) AS is_current,
        max(CASE WHEN seen_at >= $before AND seen_at < $since THEN 1 ELSE 0 END) AS was_before
    FROM seen
    WHERE login IS NOT NULL
    GROUP BY 1
), users AS (
    SELECT
        sum(is_current) AS users, sum(was_before) AS previous_users,
        sum(CASE WHEN first >= $since THEN 1 ELSE 0 END) AS arrived,
        sum(CASE WHEN first >= $before AND first < $since THEN 1 ELSE 0 END) AS previous_arrived
    FROM each_user
), each_recent_user AS (
    SELECT
        login,
        max(CASE WHEN seen_at >= $day THEN 1 ELSE 0 END) AS in_day,
        max(CASE WHEN seen_at >= $day_before AND seen_at < $day THEN 1 ELSE 0 END) AS in_day_before,
        max(CASE WHEN seen_at >= $week THEN 1 ELSE 0 END) AS in_week,
        max(CASE WHEN seen_at >= $week_before AND seen_at < $week THEN 1 ELSE 0 END) AS in_week_before,
        max(CASE WHEN seen_at >= $month THEN 1 ELSE 0 END) AS in_month,
        max(CASE WHEN seen_at >= $month_before AND seen_at < $month THEN 1 ELSE 0 END) AS in_month_before
    FROM seen
    WHERE login IS NOT NULL
    GROUP BY 1
), recent_users AS (
    SELECT
        sum(in_day) AS day, sum(in_day_before) AS previous_day,
        sum(in_week) AS week, sum(in_week_before) AS previous_week,
        sum(in_month) AS month, sum(in_month_before) AS previous_month
    FROM each_recent_user
), amounts AS (
    SELECT
        sum(CASE WHEN seen_at >= $since THEN events END) AS events,
        sum(CASE WHEN seen_at >= $before AND seen_at < $since THEN events END) AS previous_events,
        sum(CASE WHEN seen_at >= $since THEN runs END) AS runs,
        sum(CASE WHEN seen_at >= $before AND seen_at < $since THEN runs END) AS previous_runs,
        sum(CASE WHEN seen_at >= $since THEN errors END) AS errors,
        sum(CASE WHEN seen_at >= $before AND seen_at < $since THEN errors END) AS previous_errors
    FROM seen
), visits AS (
    -- Each half by itself: telling apart ids alone takes an engine half of what telling them apart with their half does.
    SELECT count(DISTINCT e.session) AS sessions
    FROM session_days e
    WHERE e.time >= $since AND e.time < $until AND chosen() AND CAST($sessions AS varchar) = 'yes'
), past_visits AS (
    SELECT count(DISTINCT e.session) AS sessions
    FROM session_days e
    WHERE e.time >= $before AND e.time < $since AND chosen() AND CAST($sessions AS varchar) = 'yes'
), recorded AS (
    -- The first in order: beside events that come in, an engine would read the time of each for the lowest one.
    SELECT (SELECT e.time FROM events e WHERE seen() ORDER BY e.time LIMIT 1) AS since
), measures AS (
    SELECT
        1 AS place, 'active users' AS measure, 'users' AS unit, 'time' AS span, users AS value,
        previous_users AS previous
    FROM users
    UNION ALL
    SELECT 2, 'active users, last day', 'users', 'day', day, previous_day FROM recent_users
    WHERE CAST($windows AS varchar) = 'yes'
    UNION ALL
    SELECT 3, 'active users, last 7 days', 'users', 'week', week, previous_week FROM recent_users
    WHERE CAST($windows AS varchar) = 'yes'
    UNION ALL
    SELECT 4, 'active users, last 30 days', 'users', 'month', month, previous_month FROM recent_users
    WHERE CAST($windows AS varchar) = 'yes'
    UNION ALL SELECT 5, 'new users', 'users', 'time', arrived, previous_arrived FROM users
    UNION ALL
    SELECT 6, 'sessions', 'sessions', 'time', v.sessions, p.sessions FROM visits v CROSS JOIN past_visits p
    WHERE CAST($sessions AS varchar) = 'yes'
    UNION ALL SELECT 7, 'events', 'events', 'time', events, previous_events FROM amounts
    UNION ALL SELECT 8, 'runs', 'runs', 'time', runs, previous_runs FROM amounts
    UNION ALL SELECT 9, 'errors', 'events', 'time', errors, previous_errors FROM amounts
), earlier AS (
    SELECT 'time' AS span, CAST($before AS timestamp) AS begins, CAST($since AS timestamp) AS ends
    UNION ALL
    SELECT 'day', CAST($day_before AS timestamp), CAST($day AS timestamp) WHERE CAST($windows AS varchar) = 'yes'
    UNION ALL
    SELECT 'week', CAST($week_before AS timestamp), CAST($week AS timestamp) WHERE CAST($windows AS varchar) = 'yes'
    UNION ALL
    SELECT 'month', CAST($month_before AS timestamp), CAST($month AS timestamp)
    WHERE CAST($windows AS varchar) = 'yes'
), known AS (
    SELECT
        m.place, m.measure, m.unit,
        CAST(coalesce(m.value, 0) AS bigint) AS value,
        CAST(
            CASE WHEN r.since <= b.begins + (b.ends - b.begins) * 0.1 THEN coalesce(m.previous, 0) END AS bigint
        ) AS previous
    FROM measures m JOIN earlier b ON b.span = m.span CROSS JOIN recorded r
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
