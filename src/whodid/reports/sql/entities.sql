-- family: entities
-- title: Entities
-- question: Which things are used most, by how many?
-- parameter: since time = 30d | from when on
-- parameter: until time = now | until when
-- parameter: before time = @before | where the equal time before begins
-- parameter: kind text = | only things of this type; empty for all
-- parameter: limit integer = 100 | rows at most
-- column: entity_type text | type of the thing that it was done to: the first entity of an event
-- column: entity_id text | its id
-- column: entity_name text | its name
-- column: uses integer events | what was done on purpose
-- column: previous_uses integer events | in the equal time before
-- column: users integer users | by how many
-- column: runs integer runs | runs
-- column: edits integer events | how often it was changed
-- column: errors integer events | errors
-- column: last time | the latest event
-- chart: bar x=uses y=entity_name color=entity_type
-- drill: /entities/{entity_type}/{entity_id}
WITH counted AS (
    SELECT
        e.entity_type, e.entity_id, max(e.entity_name) AS entity_name,
        CAST(sum(CASE WHEN e.time >= $since THEN e.uses ELSE 0 END) AS bigint) AS uses,
        CAST(sum(CASE WHEN e.time < $since THEN e.uses ELSE 0 END) AS bigint) AS previous_uses,
        CAST(sum(CASE WHEN e.time >= $since THEN e.runs ELSE 0 END) AS bigint) AS runs,
        -- What a thing takes of a machine is measured as updates.
        CAST(sum(
            CASE WHEN e.time >= $since AND e.verb = 'edited' AND e.topic <> 'compute-resource-usage'
                THEN e.events ELSE 0 END
        ) AS bigint) AS edits,
        CAST(sum(CASE WHEN e.time >= $since THEN e.errors ELSE 0 END) AS bigint) AS errors,
        max(e.last) AS last
    FROM thing_days e
    WHERE e.time >= $before AND e.time < $until AND chosen() AND e.entity_id IS NOT NULL
        AND (CAST($kind AS varchar) = '' OR e.entity_type = $kind)
    GROUP BY 1, 2
), told AS (
    SELECT *, count(*) OVER () AS "of"
    FROM counted
    ORDER BY uses DESC, previous_uses DESC, entity_type, entity_id
    LIMIT $limit
), people AS (
    -- Only of those that are told: texts cost more to compare than numbers to add.
    SELECT DISTINCT e.entity_type, e.entity_id, e.who
    FROM thing_days e JOIN told t ON t.entity_type = e.entity_type AND t.entity_id = e.entity_id
    WHERE e.time >= $since AND e.time < $until AND chosen() AND e.who IS NOT NULL
), known AS (
    SELECT entity_type, entity_id, count(*) AS users FROM people GROUP BY 1, 2
)
SELECT
    t.entity_type, t.entity_id, t.entity_name, t.uses, t.previous_uses, coalesce(k.users, 0) AS users, t.runs, t.edits,
    t.errors, t.last, t."of"
FROM told t
LEFT JOIN known k ON k.entity_type = t.entity_type AND k.entity_id = t.entity_id
ORDER BY t.uses DESC, t.previous_uses DESC, t.entity_type, t.entity_id
