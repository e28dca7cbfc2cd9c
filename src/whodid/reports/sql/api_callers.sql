-- family: api
-- title: API callers
-- question: Who asks which service, how often, with how many errors?
-- parameter: since time = 7d | from when on
-- parameter: until time = now | until when
-- parameter: before time = @before | where the equal time before begins
-- parameter: limit integer = 100 | rows at most
-- column: caller text | who asked, as the query tells
-- column: service text | the service
-- column: endpoint text | the endpoint
-- column: queries integer queries | how many
-- column: previous integer queries | in the equal time before
-- column: errors integer queries | that failed
-- column: error_percent number % | of the queries
-- column: p95_ms number ms | 95 of 100 were answered no later
-- column: last time | the last
-- chart: bar x=queries y=caller
-- drill: /events?service={service}&endpoint={endpoint}&caller={caller}
WITH counted AS (
    SELECT
        caller,
        service,
        endpoint,
        sum(CASE WHEN time >= $since THEN events ELSE 0 END) AS queries,
        sum(CASE WHEN time < $since THEN events ELSE 0 END) AS previous,
        sum(CASE WHEN time >= $since THEN failed ELSE 0 END) AS errors,
        listed_percentiles(CASE WHEN time >= $since THEN durations END, 0.95) AS taken_ms,
        max(last) AS last
    FROM query_hours e
    WHERE e.time >= $before AND e.time < $until AND chosen()
    GROUP BY 1, 2, 3
)
SELECT
    caller, service, endpoint, CAST(queries AS bigint) AS queries, CAST(previous AS bigint) AS previous,
    CAST(errors AS bigint) AS errors, CAST(errors AS double precision) * 100 / nullif(queries, 0) AS error_percent,
    taken_ms[1] AS p95_ms, last, count(*) OVER () AS "of"
FROM counted
ORDER BY queries DESC, previous DESC, caller, service, endpoint
LIMIT $limit
