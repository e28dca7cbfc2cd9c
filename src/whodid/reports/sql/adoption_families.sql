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
-- drill: /events?type={family}&type={family}-*
WITH each_type AS (
    SELECT
        split_part(type, '-', 1) AS family, type, events, first, last,
        row_number() OVER (PARTITION BY split_part(type, '-', 1) ORDER BY events DESC, type) AS place
    FROM (
        SELECT e.type, sum(e.events) AS events, min(e.first) AS first, max(e.last) AS last
        FROM event_days e
        WHERE e.time >= $since AND e.time < $until AND chosen()
        GROUP BY 1
    ) of_type
), people AS (
    SELECT split_part(type, '-', 1) AS family, count(DISTINCT person) AS people
    FROM (
        SELECT DISTINCT e.type, e.who AS person FROM event_days e
        WHERE e.time >= $since AND e.time < $until AND chosen()
    ) each_person
    GROUP BY 1
), projects AS (
    SELECT split_part(type, '-', 1) AS family, count(DISTINCT project) AS projects
    FROM (
        SELECT DISTINCT e.type, project() AS project FROM event_days e
        WHERE e.time >= $since AND e.time < $until AND chosen()
    ) each_project
    GROUP BY 1
), counted AS (
    SELECT
        family, count(*) AS types, CAST(sum(events) AS bigint) AS events,
        max(CASE WHEN place = 1 THEN type END) AS top_type, min(first) AS first, max(last) AS last
    FROM each_type
    GROUP BY 1
)
SELECT
    c.family, c.types, c.events, p.people, j.projects, c.top_type, c.first, c.last, count(*) OVER () AS "of"
FROM counted c
JOIN people p ON p.family = c.family
JOIN projects j ON j.family = c.family
ORDER BY c.events DESC, c.family
LIMIT $limit
