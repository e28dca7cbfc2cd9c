-- Errors up to `until`.
shaped AS (
    SELECT
        e.id, e.time, e.type, e.source, e.error_hash, e.session, e.request_id, e.who AS person, e.version, e.shape
    FROM error_events e
    WHERE e.time < $until AND chosen()
)
