-- What could not become an event, the latest first.
SELECT
    r."received_at" AS received_at,
    r."receiver" AS receiver,
    r."seq" AS seq,
    r."index" AS "index",
    r."code" AS code,
    r."message" AS message,
    r."line" AS line,
    r."source" AS source,
    r."raw" AS raw,
    r."raw_encoding" AS raw_encoding,
    r."raw_size_bytes" AS raw_size_bytes,
    r."format" AS format,
    r."key_id" AS key_id,
    r."orig_address" AS orig_address
FROM {source} r
ORDER BY r."received_at" DESC, r."receiver", r."seq" DESC, r."index" DESC
LIMIT {limit} OFFSET {offset}
