-- What came in that was not looked at yet.
SELECT
    CAST(e.id AS varchar) AS id, e.time AS last, e.type, e."user", e.entity_type, e.entity_id, e.entity_name, e.node,
    e.description, e.error_hash, e.error_stack_trace, coalesce(e.error_message, e.description, e.type) AS message,
    project() AS project, e.function, e.receiver, e.seq
FROM events e
WHERE
    e.time >= $since AND chosen() AND {within} AND e.type NOT LIKE 'alert-%'
    AND CASE {marks} ELSE e.received_at >= $begun END
ORDER BY e.receiver, e.seq
LIMIT $limit
