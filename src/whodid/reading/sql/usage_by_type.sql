-- What was done most often. `of` is the number of all types.
SELECT
    e."type" AS type,
    count(*) AS events,
    count(DISTINCT {person}) AS people,
    count(*) FILTER (WHERE {error}) AS errors,
    count(*) OVER () AS "of"
FROM {source} e
WHERE {where}
GROUP BY e."type"
ORDER BY count(*) DESC, e."type"
LIMIT {limit}
