-- Errors up to `until`. Those that share `error_hash` and `shape` are surely one group: with a stack trace the frames are
-- the same and so is what stands before the message's first colon, without one the messages are but for their numbers.
errors_found AS (
    SELECT
        e.id, e.time, e.type, e.source, e.error_hash, e.session, e.request_id,
        who() AS person,
        parameter('version') AS version,
        coalesce(e.error_message, e.description, '') AS message,
        coalesce(e.error_stack_trace, '') <> '' AS has_trace
    FROM events e
    WHERE e.time < $until AND is_error() AND chosen()
), shaped AS (
    SELECT
        *,
        CASE WHEN has_trace
            THEN 'trace ' || left(regexp_replace(split_part(message, ':', 1), '[0-9]+', '#', 'g'), 60)
            ELSE type || ' ' || left(regexp_replace(message, '[0-9]+', '#', 'g'), 300)
        END AS shape
    FROM errors_found
)
