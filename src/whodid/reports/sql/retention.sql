-- family: users
-- title: Retention
-- question: How many come back in the weeks after their first?
-- parameter: since time = 84d | cohorts from the week of this moment on
-- parameter: until time = now | until when
-- column: cohort local | the week of the first event; the first week of all holds everybody who was there already
-- column: week integer weeks | weeks after it; the latest week is not over
-- column: begins local | when that week begins
-- column: ends local | when it is over
-- column: users integer users | users of the cohort
-- column: active integer users | of them, those with an event in that week
-- column: active_percent number % | their share
-- chart: rect x=week y=cohort color=active_percent
-- drill: /retention/{cohort}?since={begins}&until={ends}
WITH weeks AS (
    SELECT e.who AS person, date_trunc('week', local(e.time)) AS week
    FROM user_days e
    WHERE e.time < $until AND chosen() AND e.who IS NOT NULL
    GROUP BY 1, 2
), members AS (
    SELECT person, min(week) AS cohort FROM weeks GROUP BY 1
), cohorts AS (
    SELECT cohort, count(*) AS users FROM members
    WHERE cohort >= date_trunc('week', local(CAST($since AS timestamp)))
    GROUP BY 1
), seen AS (
    SELECT m.cohort, w.week, count(*) AS active
    FROM weeks w JOIN members m ON m.person = w.person
    GROUP BY 1, 2
), calendar AS (
    SELECT DISTINCT week FROM weeks
)
SELECT
    CAST(c.cohort AS varchar) AS cohort,
    CAST(round(CAST(extract(epoch FROM k.week - c.cohort) AS double precision) / 604800) AS integer) AS week,
    CAST(k.week AS varchar) AS begins,
    CAST(k.week + INTERVAL '7 days' AS varchar) AS ends,
    c.users,
    coalesce(s.active, 0) AS active,
    100 * CAST(coalesce(s.active, 0) AS double precision) / c.users AS active_percent
FROM cohorts c
JOIN calendar k ON k.week >= c.cohort
LEFT JOIN seen s ON s.cohort = c.cohort AND s.week = k.week
ORDER BY c.cohort, k.week
