-- What errors touched besides their first thing.
SELECT x.event_id, x.time, e.level, x.type, x.id
FROM events e
JOIN event_entities x ON x.event_id = e.id
WHERE is_error()
