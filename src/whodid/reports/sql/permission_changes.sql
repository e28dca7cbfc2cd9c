-- family: security
-- title: Permission changes
-- question: Who gave or took rights, made or deleted people and groups, shared what with whom?
-- parameter: since time = 30d | from when on
-- parameter: until time = now | until when
-- parameter: kind texts = @permissions | types that tell of changes of rights
-- parameter: limit integer = 100 | rows at most
-- column: time time | when
-- column: person text | who did it
-- column: via text | the scenario, webapp or notebook that did it for them
-- column: type text | what was done
-- column: thing text | to what
-- column: description text | in words, where told
-- column: before json | how it was
-- column: after json | how it became, or what else was told
-- column: address text | from where
-- column: id uuid | the event
-- drill: /events/{id}
SELECT
    found.*,
    (
        SELECT CAST(coalesce(sum(e.events), 0) AS bigint)
        FROM event_days e
        WHERE e.time >= $since AND e.time < $until AND chosen() AND e.type = ANY($kind)
    ) AS "of"
FROM (
    SELECT
        e.time,
        coalesce(person(), parameter('login')) AS person,
        e.via,
        e.type,
        e.entity_type || ':' || coalesce(e.entity_name, e.entity_id) AS thing,
        e.description,
        parameter('before') AS before,
        coalesce(parameter('after'), CAST(e."parameters" AS varchar)) AS after,
        coalesce(parameter('originalIP'), parameter('clientIP'), parameter('ip'), e.orig_address) AS address,
        e.id
    FROM events e
    WHERE e.time >= $since AND e.time < $until AND chosen() AND e.type = ANY($kind)
    ORDER BY e.time DESC, e.id
    LIMIT $limit
) found
ORDER BY time DESC, id
