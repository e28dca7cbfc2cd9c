-- family: overview
-- title: Unknown types
-- question: Which types of event come in that the catalogue does not know, and from where?
-- parameter: since time = 90d | from when on
-- parameter: until time = now | until when
-- parameter: known texts = @catalogue | the types that the catalogue knows
-- parameter: limit integer = 100 | rows at most
-- column: type text | the type
-- column: events integer events | how many
-- column: users integer users | logins and programs that did it
-- column: nodes integer nodes | nodes that sent it
-- column: node text | one of them
-- column: first time | first in this time
-- column: last time | last in this time
-- chart: bar x=events y=type
-- drill: /events?type={type}
SELECT
    e.type,
    CAST(sum(e.events) AS bigint) AS events,
    count(DISTINCT e."user") AS users,
    count(DISTINCT e.node) AS nodes,
    min(e.node) AS node,
    min(e.first) AS first,
    max(e.last) AS last,
    count(*) OVER () AS "of"
FROM thing_days e
WHERE e.time >= $since AND e.time < $until AND chosen() AND NOT e.type = ANY($known)
GROUP BY 1
ORDER BY 2 DESC, 1
LIMIT $limit
