-- After a load: $own_rows is where the row ids of the transaction's own rows begin.

-- name: survey
SELECT count(*), count(DISTINCT id), count(*) FILTER (NOT ordered), min(id) FILTER (ordered), max(id) FILTER (ordered)
FROM (SELECT id, uuid_extract_version(id) IN (7, 8) AS ordered FROM events WHERE rowid >= $own_rows)

-- name: drop_repeated
DELETE FROM events WHERE rowid IN (
    SELECT unnest(array_agg(rowid ORDER BY seq, rowid)[2:])
    FROM events WHERE rowid >= $own_rows GROUP BY id HAVING count(*) > 1
)

-- name: prefixes
SELECT DISTINCT left(id::VARCHAR, $digits) FROM events
WHERE rowid >= $own_rows AND uuid_extract_version(id) IN (7, 8) ORDER BY 1

-- name: known
INSERT INTO known_ids
SELECT id FROM (SELECT id FROM events WHERE rowid < $own_rows AND id BETWEEN $low::UUID AND $high::UUID)
SEMI JOIN (SELECT id FROM events WHERE rowid >= $own_rows) USING (id)

-- name: drop_known
DELETE FROM events WHERE rowid >= $own_rows AND id IN (SELECT id FROM known_ids)

-- name: other_entities
INSERT INTO event_entities
SELECT id, time, other ->> '$.type', other ->> '$.id', other ->> '$.role', other ->> '$.name'
FROM (
    SELECT id, time, unnest(json_extract(entities, '$[*]')[2:]) AS other
    FROM events WHERE rowid >= $own_rows AND json_array_length(entities) > 1
)

-- name: users
SELECT login, min(first), max(last) FROM (
    SELECT "user" AS login, min(time) AS first, max(time) AS last
    FROM events WHERE rowid >= $own_rows AND "user" IS NOT NULL GROUP BY 1
    UNION ALL
    SELECT acting_for, min(time), max(time)
    FROM events WHERE rowid >= $own_rows AND acting_for IS NOT NULL GROUP BY 1
) GROUP BY 1

-- name: sessions
SELECT
    session::VARCHAR, min(time), max(time),
    arg_min("user", time), arg_min(orig_address, time), arg_min(source, time)
FROM events WHERE rowid >= $own_rows AND session IS NOT NULL GROUP BY session

-- name: entities
-- Each name of a thing by itself: it keeps all of them.
SELECT type, id, min(first), max(last), name FROM (
    SELECT entity_type AS type, entity_id AS id, entity_name AS name, min(time) AS first, max(time) AS last
    FROM events WHERE rowid >= $own_rows AND entity_id IS NOT NULL GROUP BY 1, 2, 3
    UNION ALL
    SELECT type, id, name, min(time), max(time)
    FROM event_entities WHERE rowid >= $own_rows GROUP BY 1, 2, 3
) GROUP BY type, id, name

-- name: position
INSERT INTO journal_position VALUES ($receiver, $number) ON CONFLICT (receiver) DO UPDATE SET number = $number
