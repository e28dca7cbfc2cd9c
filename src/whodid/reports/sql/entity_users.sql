-- family: entities
-- title: Who uses a thing
-- question: Who made, changed, ran, read, shared or took it out?
-- parameter: since time = 90d | from when on
-- parameter: until time = now | until when
-- parameter: limit integer = 100 | rows at most
-- column: person text | login of a user
-- column: uses integer events | what was done on purpose
-- column: edits integer events | how often they changed it
-- column: runs integer events | how often they ran it
-- column: reads integer events | how often they read it
-- column: exports integer events | how often they took it out
-- column: shares integer events | how often they shared it
-- column: active_days integer days | days with an event
-- column: errors integer events | errors met
-- column: first time | first in this time
-- column: last time | last in this time
-- chart: bar x=uses y=person
-- drill: /users/{person}
WITH told AS (
    SELECT who() AS person, verb() AS verb, is_use() AS is_use, local(e.time) AS here, e.time
    FROM events e
    WHERE e.time >= $since AND e.time < $until AND chosen() AND who() IS NOT NULL
)
SELECT
    person,
    count(*) FILTER (WHERE is_use) AS uses,
    count(*) FILTER (WHERE verb IN ('made', 'edited')) AS edits,
    count(*) FILTER (WHERE verb = 'run') AS runs,
    count(*) FILTER (WHERE verb = 'read') AS reads,
    count(*) FILTER (WHERE verb = 'exported') AS exports,
    count(*) FILTER (WHERE verb = 'shared') AS shares,
    count(DISTINCT date_trunc('day', here)) AS active_days,
    count(*) FILTER (WHERE verb = 'failed') AS errors,
    min(time) AS first,
    max(time) AS last,
    count(*) OVER () AS "of"
FROM told
GROUP BY 1
ORDER BY 2 DESC, count(*) DESC, 1
LIMIT $limit
