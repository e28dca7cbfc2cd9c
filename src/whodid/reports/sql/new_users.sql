-- family: users
-- title: New users
-- question: Who was seen for the first time, and did they stay?
-- parameter: since time = 30d | from when on
-- parameter: until time = now | until when
-- parameter: limit integer = 100 | rows at most
-- column: person text | login of a user whose first event of all lies in the time
-- column: first time | the first event
-- column: last time | the latest event in the time
-- column: active_days integer days | days with an event
-- column: events integer events | how many
-- column: uses integer events | what was done on purpose
-- column: errors integer events | errors met
-- chart: bar x=active_days y=person
-- drill: /users/{person}
WITH first_seen AS (
    SELECT e.who AS person, min(e.first) AS first
    FROM user_days e
    WHERE e.time < $until AND chosen() AND e.who IS NOT NULL
    GROUP BY 1
), counted AS (
    SELECT
        e.who AS person,
        max(e.last) AS last,
        count(DISTINCT date_trunc('day', local(e.time))) AS active_days,
        CAST(sum(e.events) AS bigint) AS events,
        CAST(sum(e.uses) AS bigint) AS uses,
        CAST(sum(e.errors) AS bigint) AS errors
    FROM user_days e
    WHERE e.time >= $since AND e.time < $until AND chosen() AND e.who IS NOT NULL
    GROUP BY 1
)
SELECT f.person, f.first, c.last, c.active_days, c.events, c.uses, c.errors, count(*) OVER () AS "of"
FROM first_seen f JOIN counted c ON c.person = f.person
WHERE f.first >= $since
ORDER BY f.first DESC, f.person
LIMIT $limit
