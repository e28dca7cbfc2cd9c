-- family: audit
-- title: Changes of the audit
-- question: Who changed policies, settings, keys, people, groups and targets of whodid itself?
-- parameter: since time = 30d | from when on
-- parameter: until time = now | until when
-- parameter: kind texts = @own_changes | types that tell of a change of whodid
-- parameter: limit integer = 100 | rows at most
-- column: time time | when
-- column: person text | who did it
-- column: type text | what was done
-- column: thing text | to what
-- column: thing_id text | the same by its id
-- column: before json | how it was
-- column: after json | how it became
-- column: id uuid | the event
-- drill: /events/{id}
SELECT
    e.time,
    e."user" AS person,
    e.type,
    e.entity_type || ':' || coalesce(e.entity_name, e.entity_id) AS thing,
    e.entity_type || ':' || e.entity_id AS thing_id,
    parameter('before') AS before,
    parameter('after') AS after,
    e.id,
    count(*) OVER () AS "of"
FROM events e
WHERE e.time >= $since AND e.time < $until AND chosen() AND e.type = ANY($kind) AND e.source = 'server'
ORDER BY e.time DESC, e.id
LIMIT $limit
