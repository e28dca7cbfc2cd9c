-- What a segment holds as rows of `events`: a select list, and where `event` and its provenance come from.

-- name: rows
SELECT
    event.id, event.time, received_at, event.type,
    coalesce(event.level, 'audit'), coalesce(event.topic, 'generic'), event.routing_key,
    coalesce(event.source, 'client'), event.session, event."user", event.acting_for, event.via,
    event.entities ->> '$[0].type', event.entities ->> '$[0].id', event.entities ->> '$[0].name',
    coalesce(event.entities, '[]'::JSON), event.description, coalesce(event.parameters, '{}'::JSON),
    event.function, event.duration_ms, event.request_id, event.status,
    event.error_message, event.error_stack_trace, event.error_hash, event.node, event.node_type,
    orig_address, key_id, coalesce(format, 'native'), receiver, seq + place,
    project_of(event.parameters, event.entities)
FROM

-- name: frames
-- Counting rows makes the engine read them by one thread: the other processors stay free for receiving, and it fills
-- whole row groups.
(
    SELECT
        seq, received_at, receiver, format, key_id, orig_address,
        unnest(events) AS event, unnest(range(len(events))) AS place
    FROM (
        SELECT COLUMNS(*), row_number() OVER () AS line
        FROM read_json(
            $paths,
            format = 'newline_delimited',
            maximum_object_size = $line_bytes_max,
            columns = {
                seq: 'BIGINT', received_at: 'TIMESTAMP', receiver: 'VARCHAR', format: 'VARCHAR',
                key_id: 'VARCHAR', orig_address: 'VARCHAR',
                events: 'STRUCT(
                    id UUID, time TIMESTAMP, type VARCHAR, level VARCHAR, topic VARCHAR, routing_key VARCHAR,
                    source VARCHAR, session UUID, "user" VARCHAR, acting_for VARCHAR, via VARCHAR, entities JSON,
                    description VARCHAR, parameters JSON, function VARCHAR, duration_ms DOUBLE, request_id VARCHAR,
                    status VARCHAR, error_message VARCHAR, error_stack_trace VARCHAR, error_hash UUID,
                    node VARCHAR, node_type VARCHAR
                )[]'
            }
        )
    )
    WHERE line > 0
)

-- name: array
-- Rows are counted, which also makes the engine read them in their order.
(
    SELECT
        COLUMNS(*), row_number() OVER () AS place, max(run) OVER (ROWS UNBOUNDED PRECEDING) AS of_run
    FROM read_json(
        $path,
        format = 'array',
        maximum_object_size = $event_bytes_max,
        columns = {
            run: 'BIGINT',
            id: 'UUID', time: 'TIMESTAMP', type: 'VARCHAR', level: 'VARCHAR', topic: 'VARCHAR', routing_key: 'VARCHAR',
            source: 'VARCHAR', session: 'UUID', "user": 'VARCHAR', acting_for: 'VARCHAR', via: 'VARCHAR',
            entities: 'JSON', description: 'VARCHAR', parameters: 'JSON', function: 'VARCHAR', duration_ms: 'DOUBLE',
            request_id: 'VARCHAR', status: 'VARCHAR', error_message: 'VARCHAR', error_stack_trace: 'VARCHAR',
            error_hash: 'UUID', node: 'VARCHAR', node_type: 'VARCHAR'
        }
    )
) AS event
JOIN (
    SELECT
        generate_subscripts($seqs_before, 1) - 1 AS number,
        unnest($seqs_before) AS seq,
        unnest($received_at::TIMESTAMP[]) AS received_at,
        unnest($receivers::VARCHAR[]) AS receiver,
        unnest($formats::VARCHAR[]) AS format,
        unnest($key_ids::VARCHAR[]) AS key_id,
        unnest($orig_addresses::VARCHAR[]) AS orig_address
) AS told ON event.of_run = told.number
WHERE event.id IS NOT NULL
