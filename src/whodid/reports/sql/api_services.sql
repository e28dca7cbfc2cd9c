-- family: api
-- title: API services
-- question: Which services, endpoints and versions are asked, how fast and how well do they answer?
-- parameter: since time = 7d | from when on
-- parameter: until time = now | until when
-- parameter: before time = @before | where the equal time before begins
-- parameter: limit integer = 100 | rows at most
-- column: service text | the service
-- column: endpoint text | the endpoint
-- column: version text | the version that answered, else unknown
-- column: queries integer queries | how many
-- column: previous integer queries | in the equal time before
-- column: per_hour number queries | on average
-- column: errors integer queries | that failed
-- column: error_percent number % | of the queries
-- column: callers integer callers | different ones
-- column: nodes integer nodes | API nodes that answered
-- column: p50_ms number ms | half were answered no later
-- column: p95_ms number ms | 95 of 100 were answered no later
-- column: p99_ms number ms | 99 of 100 were answered no later
-- column: first time | first in this time
-- column: last time | last in this time
-- chart: bar x=queries y=service
-- drill: /events?service={service}&endpoint={endpoint}&version={version}
WITH counted AS (
    SELECT
        service,
        endpoint,
        version,
        sum(CASE WHEN time >= $since THEN events ELSE 0 END) AS queries,
        sum(CASE WHEN time < $since THEN events ELSE 0 END) AS previous,
        sum(CASE WHEN time >= $since THEN failed ELSE 0 END) AS errors,
        listed_percentiles(CASE WHEN time >= $since THEN durations END, 0.5, 0.95, 0.99) AS taken_ms,
        min(CASE WHEN time >= $since THEN first END) AS first,
        max(CASE WHEN time >= $since THEN last END) AS last
    FROM query_hours e
    WHERE e.time >= $before AND e.time < $until AND chosen()
    GROUP BY 1, 2, 3
), asking AS (
    SELECT service, endpoint, version, count(DISTINCT caller) AS callers, count(DISTINCT node) AS nodes
    FROM (
        SELECT DISTINCT service, endpoint, version, caller, node
        FROM query_hours e
        WHERE e.time >= $since AND e.time < $until AND chosen()
    ) each_of_them
    GROUP BY 1, 2, 3
)
SELECT
    c.service, c.endpoint, coalesce(c.version, 'unknown') AS version, CAST(c.queries AS bigint) AS queries,
    CAST(c.previous AS bigint) AS previous,
    CAST(c.queries AS double precision) * 3600 / CAST(
        extract(epoch FROM CAST($until AS timestamp) - CAST($since AS timestamp)) AS double precision
    ) AS per_hour,
    CAST(c.errors AS bigint) AS errors,
    CAST(c.errors AS double precision) * 100 / nullif(c.queries, 0) AS error_percent,
    coalesce(a.callers, 0) AS callers, coalesce(a.nodes, 0) AS nodes,
    c.taken_ms[1] AS p50_ms, c.taken_ms[2] AS p95_ms, c.taken_ms[3] AS p99_ms, c.first, c.last,
    count(*) OVER () AS "of"
FROM counted c
LEFT JOIN asking a
    ON a.service = c.service AND a.endpoint = c.endpoint AND a.version IS NOT DISTINCT FROM c.version
ORDER BY queries DESC, previous DESC, service, endpoint, version
LIMIT $limit
