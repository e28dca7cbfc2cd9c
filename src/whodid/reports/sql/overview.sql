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
-- column: measure text | what is counted
-- column: unit text | in what
-- column: value integer | in the time; for a day, a week, a month: in the last one before `until`
-- column: previous integer | in the equal time before; empty when most of it was not recorded
-- column: change_percent number % | value against previous, to a tenth
-- chart: bar x=value y=measure
WITH spans AS (
    SELECT
        CAST($since AS timestamp) AS since, CAST($until AS timestamp) AS until, CAST($before AS timestamp) AS before,
        CAST($day AS timestamp) AS day, CAST($day_before AS timestamp) AS day_before,
        CAST($week AS timestamp) AS week, CAST($week_before AS timestamp) AS week_before,
        CAST($month AS timestamp) AS month, CAST($month_before AS timestamp) AS month_before
), seen AS (
    -- One scan for all windows: `stretch` counts the bounds of windows that lie behind an event.
    SELECT
        e.person AS login,
        CAST(e.time >= s.since AS integer) + CAST(e.time >= s.before AS integer)
            + CAST(e.time >= s.day AS integer) + CAST(e.time >= s.day_before AS integer)
            + CAST(e.time >= s.week AS integer) + CAST(e.time >= s.week_before AS integer)
            + CAST(e.time >= s.month AS integer) + CAST(e.time >= s.month_before AS integer) AS stretch,
        sum(e.events) AS events,
        sum(e.runs) AS runs,
        sum(e.errors) AS errors
    FROM user_days e CROSS JOIN spans s
    WHERE e.time < $until AND chosen()
    GROUP BY 1, 2
), told AS (
    SELECT CASE WHEN NOT is_program(login) THEN login END AS login, stretch, events, runs, errors FROM seen
), bounds AS (
    SELECT b.name, b.begins, b.ends,
        CAST(b.begins >= s.since AS integer) + CAST(b.begins >= s.before AS integer)
            + CAST(b.begins >= s.day AS integer) + CAST(b.begins >= s.day_before AS integer)
            + CAST(b.begins >= s.week AS integer) + CAST(b.begins >= s.week_before AS integer)
            + CAST(b.begins >= s.month AS integer) + CAST(b.begins >= s.month_before AS integer) AS from_stretch,
        CASE
            WHEN b.ends >= s.until THEN 9
            ELSE CAST(b.ends >= s.since AS integer) + CAST(b.ends >= s.before AS integer)
                + CAST(b.ends >= s.day AS integer) + CAST(b.ends >= s.day_before AS integer)
                + CAST(b.ends >= s.week AS integer) + CAST(b.ends >= s.week_before AS integer)
                + CAST(b.ends >= s.month AS integer) + CAST(b.ends >= s.month_before AS integer)
        END AS to_stretch
    FROM (
        SELECT 'time' AS name, since AS begins, until AS ends FROM spans
        UNION ALL SELECT 'before', before, since FROM spans
        UNION ALL SELECT 'day', day, until FROM spans
        UNION ALL SELECT 'day before', day_before, day FROM spans
        UNION ALL SELECT 'week', week, until FROM spans
        UNION ALL SELECT 'week before', week_before, week FROM spans
        UNION ALL SELECT 'month', month, until FROM spans
        UNION ALL SELECT 'month before', month_before, month FROM spans
    ) b CROSS JOIN spans s
), counted AS (
    SELECT
        b.name, count(DISTINCT t.login) AS users, coalesce(sum(t.events), 0) AS events,
        coalesce(sum(t.runs), 0) AS runs, coalesce(sum(t.errors), 0) AS errors
    FROM bounds b LEFT JOIN told t ON t.stretch >= b.from_stretch AND t.stretch < b.to_stretch
    GROUP BY 1
), arrived AS (
    SELECT b.name, count(f.login) AS users
    FROM bounds b
    LEFT JOIN (SELECT login, min(stretch) AS stretch FROM told WHERE login IS NOT NULL GROUP BY 1) f
        ON f.stretch >= b.from_stretch AND f.stretch < b.to_stretch
    GROUP BY 1
), sessions AS (
    SELECT name, count(*) AS sessions
    FROM (
        SELECT DISTINCT CASE WHEN e.time >= $since THEN 'time' ELSE 'before' END AS name, e.session
        FROM session_days e
        WHERE e.time >= $before AND e.time < $until AND chosen() AND CAST($sessions AS varchar) = 'yes'
    ) visits
    GROUP BY 1
), recorded AS (
    SELECT min(e.first) AS since FROM user_days e WHERE seen()
), measures AS (
    SELECT 1 AS place, 'active users' AS measure, 'users' AS unit, name, users AS value FROM counted
    WHERE name IN ('time', 'before')
    UNION ALL
    SELECT 2, 'active users, last day', 'users', name, users FROM counted WHERE name IN ('day', 'day before')
    UNION ALL
    SELECT 3, 'active users, last 7 days', 'users', name, users FROM counted WHERE name IN ('week', 'week before')
    UNION ALL
    SELECT 4, 'active users, last 30 days', 'users', name, users FROM counted WHERE name IN ('month', 'month before')
    UNION ALL
    SELECT 5, 'new users', 'users', name, users FROM arrived WHERE name IN ('time', 'before')
    UNION ALL
    SELECT 6, 'sessions', 'sessions', b.name, coalesce(s.sessions, 0)
    FROM bounds b LEFT JOIN sessions s ON s.name = b.name
    WHERE b.name IN ('time', 'before') AND CAST($sessions AS varchar) = 'yes'
    UNION ALL
    SELECT 7, 'events', 'events', name, events FROM counted WHERE name IN ('time', 'before')
    UNION ALL
    SELECT 8, 'runs', 'runs', name, runs FROM counted WHERE name IN ('time', 'before')
    UNION ALL
    SELECT 9, 'errors', 'events', name, errors FROM counted WHERE name IN ('time', 'before')
), known AS (
    SELECT
        m.place, m.measure, m.unit,
        CAST(max(CASE WHEN b.ends = s.until THEN m.value END) AS bigint) AS value,
        CAST(
            max(CASE WHEN b.ends < s.until AND r.since <= b.begins + (b.ends - b.begins) * 0.1 THEN m.value END)
            AS bigint
        ) AS previous
    FROM measures m JOIN bounds b ON b.name = m.name CROSS JOIN spans s CROSS JOIN recorded r
    GROUP BY 1, 2, 3
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
