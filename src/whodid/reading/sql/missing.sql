-- Batches that a store never had, as the rejections in their place tell of them, the latest first.
SELECT
    r."received_at" AS found_at,
    r."receiver" AS receiver,
    r."message" AS message
FROM {source} r
WHERE r."code" = $code AND r."received_at" >= $since
ORDER BY r."received_at" DESC, r."receiver"
