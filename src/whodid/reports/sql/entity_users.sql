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
SELECT
    e.who AS person,
    CAST(sum(e.uses) AS bigint) AS uses,
    -- What a thing takes of a machine is measured as starts and updates.
    CAST(coalesce(
        sum(e.events) FILTER (WHERE e.verb IN ('made', 'edited') AND e.topic <> 'compute-resource-usage'), 0
    ) AS bigint) AS edits,
    CAST(coalesce(
        sum(e.events) FILTER (WHERE e.verb = 'run' AND e.topic <> 'compute-resource-usage'), 0
    ) AS bigint) AS runs,
    CAST(coalesce(sum(e.events) FILTER (WHERE e.verb = 'read'), 0) AS bigint) AS reads,
    CAST(coalesce(sum(e.events) FILTER (WHERE e.verb = 'exported'), 0) AS bigint) AS exports,
    CAST(coalesce(sum(e.events) FILTER (WHERE e.verb = 'shared'), 0) AS bigint) AS shares,
    count(DISTINCT date_trunc('day', local(e.time))) AS active_days,
    CAST(sum(e.errors) AS bigint) AS errors,
    min(e.first) AS first,
    max(e.last) AS last,
    count(*) OVER () AS "of"
FROM entity_days e
WHERE e.time >= $since AND e.time < $until AND chosen() AND e.who IS NOT NULL
GROUP BY 1
ORDER BY 2 DESC, sum(e.events) DESC, 1
LIMIT $limit
