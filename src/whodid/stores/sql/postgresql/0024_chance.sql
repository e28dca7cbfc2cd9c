-- The end of an id is taken from its bytes: half of the work of writing it as text and reading that.
CREATE OR REPLACE VIEW whodid.query_events AS
SELECT
    id, time, type, level, topic, "user", acting_for, coalesce(acting_for, "user") AS person,
    CASE WHEN NOT is_program THEN coalesce(acting_for, "user") END AS who, project, entity_type, entity_id, request_id,
    service, endpoint, coalesce(told_version, context_version) AS version, told_version, caller, node, duration_ms,
    has_failed,
    CAST(
        (get_byte(uuid_send(id), 13) << 16) | (get_byte(uuid_send(id), 14) << 8) | get_byte(uuid_send(id), 15)
        AS double precision
    ) / 16777216 AS chance
FROM whodid.kept_query_events;
