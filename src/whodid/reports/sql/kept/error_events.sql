-- Errors. Those that share `error_hash` and `shape` are surely one group: with a stack trace the frames are the same and
-- so is what stands before the message's first colon, without one the messages are but for their numbers.
SELECT
    found.*,
    CASE WHEN has_trace
        THEN 'trace ' || left(regexp_replace(split_part(message, ':', 1), '[0-9]+', '#', 'g'), 60)
        ELSE type || ' ' || left(regexp_replace(message, '[0-9]+', '#', 'g'), 300)
    END AS shape
FROM (
    SELECT
        e.id, e.time, e.type, e.level, e.topic, e."user", e.acting_for, person() AS person, who() AS who,
        project() AS project, e.entity_type, e.entity_id, e.source, e.session, e.request_id, e.error_hash,
        parameter('version') AS version,
        coalesce(e.error_message, e.description, '') AS message,
        coalesce(e.error_message, e.description) AS told,
        coalesce(e.error_stack_trace, '') <> '' AS has_trace,
        e.error_stack_trace
    FROM events e
    WHERE is_error()
) found
