-- Each day (UTC) that has events, oldest first.
SELECT
    CAST(date_trunc('day', e."time") AS date) AS day,
    count(*) AS events,
    count(DISTINCT {person}) AS people,
    count(*) FILTER (WHERE {run}) AS runs,
    count(*) FILTER (WHERE {error}) AS errors
FROM {source} e
WHERE {where}
GROUP BY 1
ORDER BY 1
