-- family: users
-- title: Users
-- question: Who is active, how much, and when were they last seen?
-- parameter: since time = 30d | from when on
-- parameter: until time = now | until when
-- parameter: before time = @before | where the equal time before begins
-- parameter: limit integer = 100 | rows at most
-- parameter: sessions yes|no = yes | no: they are not counted, which takes half as long
-- column: person text | login of a user; what programs did counts for whom they acted
-- column: events integer events | how many
-- column: previous_events integer events | in the equal time before
-- column: uses integer events | what was done on purpose
-- column: sessions integer sessions | how many; empty when they are not counted
-- column: active_days integer days | days with an event
-- column: runs integer runs | what was carried out with a known duration
-- column: errors integer events | errors met
-- column: first time | first in this time
-- column: last time | last in this time
-- chart: bar x=events y=person
-- drill: /users/{person}
WITH days AS (
    SELECT
        e.who AS person,
        date_trunc('day', local(e.time)) AS day,
        sum(e.events) AS events,
        sum(e.uses) AS uses,
        sum(e.runs) AS runs,
        sum(e.errors) AS errors,
        min(e.first) AS first,
        max(e.last) AS last
    FROM user_days e
    WHERE e.time >= $since AND e.time < $until AND chosen() AND e.who IS NOT NULL
    GROUP BY 1, 2
), counted AS (
    SELECT
        person,
        CAST(sum(events) AS bigint) AS events,
        CAST(sum(uses) AS bigint) AS uses,
        count(*) AS active_days,
        CAST(sum(runs) AS bigint) AS runs,
        CAST(sum(errors) AS bigint) AS errors,
        min(first) AS first,
        max(last) AS last
    FROM days
    GROUP BY 1
), visits AS (
    SELECT DISTINCT e.who AS person, e.session
    FROM session_days e
    WHERE e.time >= $since AND e.time < $until AND chosen() AND e.who IS NOT NULL
        AND CAST($sessions AS varchar) = 'yes'
), visited AS (
    SELECT person, count(session) AS sessions FROM visits GROUP BY 1
), past AS (
    SELECT e.who AS person, CAST(sum(e.events) AS bigint) AS events
    FROM user_days e
    WHERE e.time >= $before AND e.time < $since AND chosen() AND e.who IS NOT NULL
    GROUP BY 1
)
SELECT
    coalesce(c.person, p.person) AS person, coalesce(c.events, 0) AS events, coalesce(p.events, 0) AS previous_events,
    coalesce(c.uses, 0) AS uses,
    CASE WHEN CAST($sessions AS varchar) = 'yes' THEN coalesce(v.sessions, 0) END AS sessions,
    coalesce(c.active_days, 0) AS active_days,
    coalesce(c.runs, 0) AS runs, coalesce(c.errors, 0) AS errors, c.first, c.last, count(*) OVER () AS "of"
FROM counted c FULL JOIN past p ON p.person = c.person LEFT JOIN visited v ON v.person = c.person
ORDER BY 2 DESC, 3 DESC, 1
LIMIT $limit
