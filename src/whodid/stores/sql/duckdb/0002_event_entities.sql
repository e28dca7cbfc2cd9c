-- The entities of an event beyond its first, so that the activity of an entity finds events that touched it besides.
CREATE TABLE event_entities (
    event_id UUID NOT NULL,
    time TIMESTAMP NOT NULL,
    type VARCHAR NOT NULL,
    id VARCHAR NOT NULL,
    role VARCHAR,
    name VARCHAR
);

INSERT INTO event_entities
SELECT id, time, other ->> '$.type', other ->> '$.id', other ->> '$.role', other ->> '$.name'
FROM (
    SELECT id, time, unnest(json_extract(entities, '$[*]')[2:]) AS other
    FROM events
    WHERE json_array_length(entities) > 1
);
