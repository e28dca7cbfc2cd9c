-- How many of the events that a rule looks at count, by what it tells apart.
SELECT
    {key} AS key, count(CASE WHEN {counted} THEN 1 END) AS n, count(*) AS events, max(e.time) AS last
FROM events e
WHERE e.time >= $since AND e.time < $until AND chosen() AND {within}
GROUP BY 1
HAVING count(CASE WHEN {counted} THEN 1 END) >= $at_least
ORDER BY 2 DESC, 1
LIMIT $limit
