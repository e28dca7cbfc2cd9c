-- name: row
-- The columns of every store, times as UTC timestamps, parameters and entities as JSON text.
SELECT
    event.id, event.time, received_at, event.type, coalesce(event.level, 'audit') AS level,
    coalesce(event.topic, 'generic') AS topic, event.routing_key, coalesce(event.source, 'client') AS source,
    event.session, event."user", event.acting_for, event.via,
    event.entities ->> '$[0].type' AS entity_type, event.entities ->> '$[0].id' AS entity_id,
    event.entities ->> '$[0].name' AS entity_name, coalesce(event.entities::VARCHAR, '[]') AS entities,
    event.description, coalesce(event.parameters::VARCHAR, '{}') AS parameters, event.function, event.duration_ms,
    event.request_id, event.status, event.error_message, event.error_stack_trace, event.error_hash,
    event.node, event.node_type, orig_address, key_id, coalesce(format, 'native') AS format, receiver, seq
FROM

-- name: segments
(
    SELECT
        seq + unnest(range(len(events))) AS seq, received_at, receiver, format, key_id, orig_address,
        unnest(events) AS event
    FROM read_json(
        $paths, format = 'newline_delimited', maximum_object_size = $line_bytes_max,
        columns = {
            seq: 'BIGINT', received_at: 'TIMESTAMP', receiver: 'VARCHAR', format: 'VARCHAR',
            key_id: 'VARCHAR', orig_address: 'VARCHAR', events: 'STRUCT($fields)[]'
        }
    )
)

-- name: lines
(
    SELECT seq, received_at, receiver, format, key_id, orig_address, line AS event
    FROM read_json(
        $paths, format = 'newline_delimited', maximum_object_size = $line_bytes_max,
        columns = {
            seq: 'BIGINT', received_at: 'TIMESTAMP', receiver: 'VARCHAR', format: 'VARCHAR',
            key_id: 'VARCHAR', orig_address: 'VARCHAR', $columns
        }
    ) AS line
)
