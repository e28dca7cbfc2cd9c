-- The errors that came most often, by their hash, else by their message. `of` is the number of all such groups.
SELECT
    CAST(e."error_hash" AS varchar) AS error_hash,
    max(coalesce(e."error_message", e."description")) AS message,
    count(*) AS events,
    count(DISTINCT {person}) AS people,
    min(e."time") AS first,
    max(e."time") AS last,
    count(*) OVER () AS "of"
FROM {source} e
WHERE {where} AND {error}
GROUP BY e."error_hash", CASE WHEN e."error_hash" IS NULL THEN coalesce(e."error_message", e."description") END
ORDER BY 3 DESC, 2, 1
LIMIT {limit}
