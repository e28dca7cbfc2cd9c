-- The rejections in segments.
SELECT
    received_at, receiver, seq, reject.index, reject.code, reject.message, reject.line, reject.source,
    reject.raw, coalesce(reject.raw_encoding, 'utf-8') AS raw_encoding, reject.raw_size_bytes,
    coalesce(format, 'native') AS format, key_id, orig_address, reject.id
FROM (
    SELECT seq, received_at, receiver, format, key_id, orig_address, unnest(rejects) AS reject
    FROM read_json(
        $paths,
        format = 'newline_delimited',
        maximum_object_size = $line_bytes_max,
        columns = {
            seq: 'BIGINT', received_at: 'TIMESTAMP', receiver: 'VARCHAR', format: 'VARCHAR',
            key_id: 'VARCHAR', orig_address: 'VARCHAR',
            rejects: 'STRUCT(
                "index" BIGINT, code VARCHAR, message VARCHAR, line BIGINT, source VARCHAR,
                raw VARCHAR, raw_encoding VARCHAR, raw_size_bytes BIGINT, id VARCHAR
            )[]'
        }
    )
)
