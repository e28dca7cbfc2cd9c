-- family: entities
-- title: Things on the way
-- question: Which things lie on the way to a dataset and on from it, and when were they last run, changed and used?
-- with: flow_told
-- with: flow_edges
-- with: flow_reached
-- parameter: since time = 90d | from when on
-- parameter: until time = now | until when
-- parameter: entity text = | the thing, as type:id
-- parameter: depth integer = 6 | so many steps away at most
-- parameter: limit integer = 500 | rows at most
-- column: type text | type of the thing
-- column: id text | its id
-- column: name text | its name
-- column: depth integer steps | 0 is the thing itself, below 0 lies on the way to it, above 0 behind it
-- column: runs integer events | how often it took part
-- column: failed integer events | of these, those that failed
-- column: last_run time | the latest
-- column: age_hours number h | how long that was before `until`
-- column: edits integer events | how often it was changed in the time
-- column: last_edit time | the latest change
-- column: last_edit_by text | who did it
-- chart: graph x=id y=depth color=type
-- drill: /entities/{type}/{id}
, reached AS MATERIALIZED (
    SELECT type, thing, CASE WHEN min(abs(depth)) = -min(depth) THEN min(depth) ELSE max(depth) END AS depth
    FROM (
        SELECT type, thing, depth FROM flow_below
        UNION ALL
        SELECT type, thing, depth FROM flow_above
    ) every_way
    WHERE thing <> ''
    GROUP BY 1, 2
), ways AS (
    SELECT type, thing, max(name) AS name, max(runs) AS runs, max(failed) AS failed, max(last) AS last
    FROM (
        SELECT from_type AS type, from_id AS thing, from_name AS name, runs, failed, last FROM flow_edges
        UNION ALL
        SELECT to_type, to_id, to_name, runs, failed, last FROM flow_edges
    ) ends
    GROUP BY 1, 2
), edited AS (
    SELECT
        e.entity_type AS type, e.entity_id AS thing, person() AS person, max(e.entity_name) AS name,
        count(*) AS edits, max(e.time) AS last_edit
    FROM events e
    WHERE e.time >= $since AND e.time < $until AND seen() AND e.level = 'audit' AND verb() = 'edited'
        AND e.topic <> 'compute-resource-usage'
    GROUP BY 1, 2, 3
), ranked AS (
    SELECT t.*, row_number() OVER (PARTITION BY type, thing ORDER BY last_edit DESC, person) AS place
    FROM edited t
), known AS (
    SELECT
        type, thing, max(name) AS name, CAST(sum(edits) AS bigint) AS edits, max(last_edit) AS last_edit,
        max(CASE WHEN place = 1 THEN person END) AS last_edit_by
    FROM ranked
    GROUP BY 1, 2
)
SELECT
    r.type, r.thing AS id, coalesce(w.name, t.name) AS name, r.depth, coalesce(w.runs, 0) AS runs,
    coalesce(w.failed, 0) AS failed, w.last AS last_run,
    CAST(extract(epoch FROM CAST($until AS timestamp) - w.last) AS double precision) / 3600 AS age_hours,
    coalesce(t.edits, 0) AS edits, t.last_edit, t.last_edit_by,
    count(*) OVER () AS "of"
FROM reached r
LEFT JOIN ways w ON w.type = r.type AND w.thing = r.thing
LEFT JOIN known t ON t.type = r.type AND t.thing = r.thing
ORDER BY r.depth, r.type, id
LIMIT $limit
