-- What was touched most, as the first entity of an event. `of` is the number of all such entities.
SELECT
    e."entity_type" AS entity_type,
    e."entity_id" AS entity_id,
    max(e."entity_name") AS entity_name,
    count(*) AS events,
    count(DISTINCT {person}) AS people,
    count(*) FILTER (WHERE {error}) AS errors,
    max(e."time") AS last,
    count(*) OVER () AS "of"
FROM {source} e
WHERE {where} AND e."entity_id" IS NOT NULL
GROUP BY 1, 2
ORDER BY 4 DESC, 1, 2
LIMIT {limit}
