-- Further copies of all events: other ids, sessions and requests, within an hour of the first, done by ten times as many
-- people.
INSERT INTO events
SELECT
    * EXCLUDE (copy) REPLACE (
        (left(id::VARCHAR, 24) || right(md5(id::VARCHAR || copy), 12))::UUID AS id,
        time + INTERVAL 1 MILLISECOND * (hash(id, copy) % 3600000)::BIGINT AS time,
        CASE WHEN session IS NOT NULL THEN md5(session::VARCHAR || copy)::UUID END AS session,
        CASE WHEN copy % 10 > 0 AND "user" NOT LIKE '%:%' THEN "user" || '.' || copy % 10 ELSE "user" END AS "user",
        CASE WHEN copy % 10 > 0 AND acting_for NOT LIKE '%:%' THEN acting_for || '.' || copy % 10 ELSE acting_for END
            AS acting_for,
        request_id || '.' || copy AS request_id,
        copy * {events} + seq AS seq
    )
FROM events, range(1, {copies}) AS copies(copy)
ORDER BY time;

INSERT INTO event_entities
SELECT
    (left(event_id::VARCHAR, 24) || right(md5(event_id::VARCHAR || copy), 12))::UUID,
    time + INTERVAL 1 MILLISECOND * (hash(event_id, copy) % 3600000)::BIGINT AS time,
    type, id, role, name
FROM event_entities, range(1, {copies}) AS copies(copy)
ORDER BY time;
