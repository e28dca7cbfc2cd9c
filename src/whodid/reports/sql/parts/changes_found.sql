-- The latest events of the types in `kind`, and how many there are of them.
changes AS (
    SELECT
        e.time,
        coalesce(person(), parameter('login')) AS person,
        e.via,
        e.type,
        e.entity_type || ':' || coalesce(e.entity_name, e.entity_id) AS thing,
        e.entity_type || ':' || e.entity_id AS thing_id,
        e.description,
        parameter('before') AS before,
        CASE
            WHEN parameter('before') IS NULL THEN coalesce(parameter('after'), CAST(e."parameters" AS varchar))
            ELSE parameter('after')
        END AS after,
        coalesce(parameter('originalIP'), parameter('clientIP'), parameter('ip'), e.orig_address) AS address,
        e.id
    FROM events e
    WHERE e.time >= $since AND e.time < $until AND chosen() AND e.type = ANY($kind)
    ORDER BY e.time DESC, e.id
    LIMIT $limit
), numbered AS (
    SELECT CAST(coalesce(sum(e.events), 0) AS bigint) AS "of"
    FROM event_days e
    WHERE e.time >= $since AND e.time < $until AND chosen() AND e.type = ANY($kind)
)
