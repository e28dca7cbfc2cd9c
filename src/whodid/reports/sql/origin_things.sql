-- family: entities
-- title: Things on the way
-- question: Which things lie on the way to a dataset and on from it, and when were they last run, changed and used?
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
-- column: users integer users | who used it
-- chart: graph x=id y=depth color=type
-- drill: /entities/{type}/{id}
, reached AS (
    SELECT type, thing, min(depth) AS depth FROM (
        SELECT type, thing, depth FROM flow_below
        UNION ALL
        SELECT a.type, a.thing, a.depth FROM flow_above a
        WHERE NOT EXISTS (
            SELECT 1 FROM flow_below b WHERE b.type = a.type AND b.thing = a.thing AND b.depth <= -a.depth
        )
    ) every_way
    GROUP BY 1, 2
), ways AS (
    SELECT type, thing, max(name) AS name, max(runs) AS runs, max(failed) AS failed, max(last) AS last
    FROM (
        SELECT from_type AS type, from_id AS thing, from_name AS name, runs, failed, last FROM flow_edges
        UNION ALL
        SELECT to_type, to_id, to_name, runs, failed, last FROM flow_edges
    ) ends
    GROUP BY 1, 2
), touched AS (
    SELECT
        e.entity_type AS type, e.entity_id AS thing, max(e.entity_name) AS name,
        count(*) FILTER (WHERE verb() = 'edited') AS edits,
        max(CASE WHEN verb() = 'edited' THEN e.time END) AS last_edit,
        count(DISTINCT who()) AS users
    FROM events e JOIN reached r ON r.type = e.entity_type AND r.thing = e.entity_id
    WHERE e.time >= $since AND e.time < $until
    GROUP BY 1, 2
), editors AS (
    SELECT t.type, t.thing, min(person()) AS person
    FROM touched t JOIN events e ON e.entity_type = t.type AND e.entity_id = t.thing AND e.time = t.last_edit
    WHERE e.time >= $since AND e.time < $until AND verb() = 'edited'
    GROUP BY 1, 2
)
SELECT
    r.type, r.thing AS id, coalesce(w.name, t.name) AS name, r.depth, coalesce(w.runs, 0) AS runs,
    coalesce(w.failed, 0) AS failed, w.last AS last_run,
    CAST(extract(epoch FROM CAST($until AS timestamp) - w.last) AS double precision) / 3600 AS age_hours,
    coalesce(t.edits, 0) AS edits, t.last_edit, d.person AS last_edit_by, coalesce(t.users, 0) AS users,
    count(*) OVER () AS "of"
FROM reached r
LEFT JOIN ways w ON w.type = r.type AND w.thing = r.thing
LEFT JOIN touched t ON t.type = r.type AND t.thing = r.thing
LEFT JOIN editors d ON d.type = r.type AND d.thing = r.thing
WHERE r.thing <> ''
ORDER BY r.depth, r.type, id
LIMIT $limit
