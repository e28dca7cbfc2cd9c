-- family: users
-- title: Who came back
-- question: Who of those who were first seen in one week was there in this time?
-- parameter: since time = 7d | from when on
-- parameter: until time = now | until when
-- parameter: cohort time = since | any moment of the week in which they were first seen, by the reader's clock
-- parameter: before time = @cohort | a week before that moment
-- parameter: limit integer = 100 | rows at most
-- column: person text | login of a user
-- column: arrived time | the first event of all
-- column: events integer events | in this time
-- column: uses integer events | what was done on purpose
-- column: errors integer events | errors met
-- column: last time | the latest event in this time
-- chart: bar x=events y=person
-- drill: /events?user={person}
WITH first_seen AS (
    SELECT e.who AS person, min(e.first) AS arrived
    FROM user_hours e
    WHERE e.time < $until AND chosen() AND e.who IS NOT NULL
    GROUP BY 1
), counted AS (
    SELECT
        e.who AS person,
        CAST(sum(e.events) AS bigint) AS events,
        CAST(sum(e.uses) AS bigint) AS uses,
        CAST(sum(e.errors) AS bigint) AS errors,
        max(e.last) AS last
    FROM user_hours e
    WHERE e.time >= $since AND e.time < $until AND chosen() AND e.who IS NOT NULL
    GROUP BY 1
)
SELECT c.person, f.arrived, c.events, c.uses, c.errors, c.last, count(*) OVER () AS "of"
FROM counted c JOIN first_seen f ON f.person = c.person
WHERE date_trunc('week', local(f.arrived)) = date_trunc('week', CAST($cohort AS timestamp))
ORDER BY c.events DESC, c.person
LIMIT $limit
