-- family: users
-- title: Users
-- question: Who is active, how much, and when were they last seen?
-- parameter: since time = 30d | from when on
-- parameter: until time = now | until when
-- parameter: before time = @before | where the equal time before begins
-- parameter: limit integer = 100 | rows at most
-- column: person text | login of a user; what programs did counts for whom they acted
-- column: events integer events | how many
-- column: previous_events integer events | in the equal time before
-- column: uses integer events | what was done on purpose
-- column: sessions integer sessions | how many
-- column: active_days integer days | days with an event
-- column: runs integer runs | what was carried out with a known duration
-- column: errors integer events | errors met
-- column: first time | first in this time
-- column: last time | last in this time
-- chart: bar x=events y=person
-- drill: /users/{person}
WITH counted AS (
    SELECT
        who() AS person,
        count(*) FILTER (WHERE e.time >= $since) AS events,
        count(*) FILTER (WHERE e.time < $since) AS previous_events,
        count(*) FILTER (WHERE e.time >= $since AND is_use()) AS uses,
        count(DISTINCT CASE WHEN e.time >= $since THEN e.session END) AS sessions,
        count(DISTINCT CASE WHEN e.time >= $since THEN date_trunc('day', local(e.time)) END) AS active_days,
        count(*) FILTER (WHERE e.time >= $since AND is_run()) AS runs,
        count(*) FILTER (WHERE e.time >= $since AND is_error()) AS errors,
        min(CASE WHEN e.time >= $since THEN e.time END) AS first,
        max(CASE WHEN e.time >= $since THEN e.time END) AS last
    FROM events e
    WHERE e.time >= $before AND e.time < $until AND chosen() AND who() IS NOT NULL
    GROUP BY 1
)
SELECT
    person, events, previous_events, uses, sessions, active_days, runs, errors, first, last, count(*) OVER () AS "of"
FROM counted
ORDER BY events DESC, previous_events DESC, person
LIMIT $limit
