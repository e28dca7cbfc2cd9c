-- Lines of the native form as Parquet: the columns of every store, times as UTC timestamps, parameters as JSON text.
COPY (
    SELECT
        id, time, received_at, type, coalesce(level, 'audit') AS level, coalesce(topic, 'generic') AS topic, routing_key,
        coalesce(source, 'client') AS source, session, "user", acting_for, via,
        entities[1].type AS entity_type, entities[1].id AS entity_id, entities[1].name AS entity_name,
        coalesce(to_json(entities)::VARCHAR, '[]') AS entities, description,
        coalesce(parameters::VARCHAR, '{}') AS parameters, function, duration_ms, request_id, status,
        error_message, error_stack_trace, error_hash, node, node_type, orig_address, key_id,
        coalesce(format, 'native') AS format, receiver, seq
    FROM read_json(
        $lines, format = 'newline_delimited', maximum_object_size = 33554432,
        columns = {
            id: 'VARCHAR', time: 'TIMESTAMP', received_at: 'TIMESTAMP', type: 'VARCHAR', level: 'VARCHAR',
            topic: 'VARCHAR', routing_key: 'VARCHAR', source: 'VARCHAR', session: 'VARCHAR', user: 'VARCHAR',
            acting_for: 'VARCHAR', via: 'VARCHAR',
            entities: 'STRUCT(role VARCHAR, type VARCHAR, id VARCHAR, name VARCHAR)[]',
            description: 'VARCHAR', parameters: 'JSON', function: 'VARCHAR', duration_ms: 'DOUBLE',
            request_id: 'VARCHAR', status: 'VARCHAR', error_message: 'VARCHAR', error_stack_trace: 'VARCHAR',
            error_hash: 'VARCHAR', node: 'VARCHAR', node_type: 'VARCHAR', orig_address: 'VARCHAR', key_id: 'VARCHAR',
            format: 'VARCHAR', receiver: 'VARCHAR', seq: 'BIGINT'
        }
    )
) TO $parquet (FORMAT parquet, COMPRESSION zstd, ROW_GROUP_SIZE 122880)
