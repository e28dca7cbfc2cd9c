-- family: api
-- title: API services
-- question: Which services, endpoints and versions are asked, how fast and how well do they answer?
-- parameter: since time = 7d | from when on
-- parameter: until time = now | until when
-- parameter: before time = @before | where the equal time before begins
-- parameter: limit integer = 100 | rows at most
-- column: service text | the service
-- column: endpoint text | the endpoint
-- column: version text | the version that answered
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
-- drill: /events?topic=apinode-query&entity=api-service:{service}
-- with: api_queries
SELECT
    service,
    endpoint,
    version,
    count(*) FILTER (WHERE time >= $since) AS queries,
    count(*) FILTER (WHERE time < $since) AS previous,
    CAST(count(*) FILTER (WHERE time >= $since) AS double precision) * 3600 / CAST(
        extract(epoch FROM CAST($until AS timestamp) - CAST($since AS timestamp)) AS double precision
    ) AS per_hour,
    count(*) FILTER (WHERE has_failed AND time >= $since) AS errors,
    CAST(count(*) FILTER (WHERE has_failed AND time >= $since) AS double precision) * 100
        / nullif(count(*) FILTER (WHERE time >= $since), 0) AS error_percent,
    count(DISTINCT CASE WHEN time >= $since THEN caller END) AS callers,
    count(DISTINCT CASE WHEN time >= $since THEN node END) AS nodes,
    percentile(0.5, CASE WHEN time >= $since THEN duration_ms END) AS p50_ms,
    percentile(0.95, CASE WHEN time >= $since THEN duration_ms END) AS p95_ms,
    percentile(0.99, CASE WHEN time >= $since THEN duration_ms END) AS p99_ms,
    min(CASE WHEN time >= $since THEN time END) AS first,
    max(CASE WHEN time >= $since THEN time END) AS last,
    count(*) OVER () AS "of"
FROM queries
GROUP BY 1, 2, 3
ORDER BY queries DESC, previous DESC, service, endpoint, version
LIMIT $limit
