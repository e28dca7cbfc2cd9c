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
        count(*) FILTER (WHERE e.time >= $since AND is_use()) AS uses,
        count(*) FILTER (WHERE e.time < $since AND is_use()) AS previous_uses,
        count(DISTINCT CASE WHEN e.time >= $since THEN who() END) AS users,
        count(*) FILTER (WHERE e.time >= $since AND is_run()) AS runs,
        count(*) FILTER (WHERE e.time >= $since AND verb() = 'edited') AS edits,
        count(*) FILTER (WHERE e.time >= $since AND is_error()) AS errors,
        max(e.time) AS last
    FROM events e
    WHERE e.time >= $before AND e.time < $until AND chosen() AND e.entity_id IS NOT NULL
        AND (CAST($kind AS varchar) = '' OR e.entity_type = $kind)
    GROUP BY 1, 2
)
SELECT
    entity_type, entity_id, entity_name, uses, previous_uses, users, runs, edits, errors, last, count(*) OVER () AS "of"
FROM counted
ORDER BY uses DESC, previous_uses DESC, entity_type, entity_id
LIMIT $limit
