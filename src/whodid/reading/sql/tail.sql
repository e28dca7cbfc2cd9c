-- What was stored since, the latest first, so that a reader who fell behind gets the newest.
SELECT {columns}
FROM {source} e
WHERE {where} AND e."time" >= CAST($since AS timestamp) AND ({newer})
ORDER BY e."received_at" DESC, e."seq" DESC
LIMIT {limit}
