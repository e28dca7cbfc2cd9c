-- What errors touched besides their first thing: among what all events touched, they are one in a hundred.
CREATE VIEW told_error_entities AS
SELECT id AS event_id, time, level, other ->> '$.type' AS type, other ->> '$.id' AS id
FROM (
    SELECT id, time, level, unnest(json_extract(entities, '$[*]')[2:]) AS other
    FROM uncounted_events
    WHERE (level = 'error' OR error_message IS NOT NULL) AND json_array_length(entities) > 1
);
CREATE TABLE kept_error_entities AS FROM told_error_entities LIMIT 0;
CREATE VIEW error_entities AS FROM kept_error_entities UNION ALL FROM told_error_entities;

INSERT INTO kept_error_entities
SELECT o.event_id, e.time, e.level, o.type, o.id
FROM event_entities o JOIN kept_error_events e ON e.id = o.event_id
ORDER BY e.time;
