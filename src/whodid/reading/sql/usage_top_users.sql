-- Who did most. `of` is the number of all people.
SELECT
    {person} AS "user",
    count(*) AS events,
    count(*) FILTER (WHERE {run}) AS runs,
    count(*) FILTER (WHERE {error}) AS errors,
    max(e."time") AS last,
    count(*) OVER () AS "of"
FROM {source} e
WHERE {where} AND {person} IS NOT NULL
GROUP BY 1
ORDER BY 2 DESC, 1
LIMIT {limit}
