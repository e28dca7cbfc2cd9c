-- family: adoption
-- title: Message types by family
-- question: Which parts of the platform are used: datasets, flow, scenarios, notebooks, …?
-- parameter: since time = 30d | from when on
-- parameter: until time = now | until when
-- parameter: limit integer = 100 | rows at most
-- column: family text | the type up to its first hyphen
-- column: types integer types | types of it that were seen
-- column: events integer events | how many
-- column: people integer people | who did it, or for whom it was done
-- column: projects integer projects | in how many
-- column: top_type text | the most frequent of them
-- column: first time | first in the time
-- column: last time | latest
-- chart: bar x=events y=family
-- drill: /events?type={family}-*
WITH told AS (
    SELECT
        split_part(e.type, '-', 1) AS family, e.type, e.who AS person, project() AS project,
        sum(e.events) AS events, min(e.first) AS first, max(e.last) AS last
    FROM event_days e
    WHERE e.time >= $since AND e.time < $until AND chosen()
    GROUP BY 1, 2, 3, 4
), ranked AS (
    SELECT family, type, row_number() OVER (PARTITION BY family ORDER BY sum(events) DESC, type) AS place
    FROM told
    GROUP BY 1, 2
), counted AS (
    SELECT
        family, count(DISTINCT type) AS types, CAST(sum(events) AS bigint) AS events,
        count(DISTINCT person) AS people, count(DISTINCT project) AS projects, min(first) AS first, max(last) AS last
    FROM told
    GROUP BY 1
)
SELECT
    c.family, c.types, c.events, c.people, c.projects, r.type AS top_type, c.first, c.last, count(*) OVER () AS "of"
FROM counted c JOIN ranked r ON r.family = c.family AND r.place = 1
ORDER BY c.events DESC, c.family
LIMIT $limit
