-- family: errors
-- title: Before the error
-- question: What did people do right before an error?
-- parameter: since time = 30d | from when on
-- parameter: until time = now | until when
-- parameter: hashes texts =  | only errors with these hashes
-- parameter: shapes texts =  | only errors of these shapes, for those without a stack trace
-- parameter: scope text = @errors_scope | whether hashes or shapes are given
-- parameter: limit integer = 20 | rows at most
-- column: type text | what was done last within the same session, or the same request, in the half hour before
-- column: what text | the function, menu item, dialog, viewer or thing
-- column: errors integer events | errors it came before; the latest 2,000 are looked at
-- column: share_percent number % | of the errors before which something was done
-- column: people integer people | to how many it happened
-- column: median_s number s | time until the error: half came no later
-- chart: bar x=errors y=what
-- with: errors_found
, chosen_errors AS (
    SELECT id, time, session, request_id, person
    FROM shaped
    WHERE time >= $since AND (
        $scope = 'all'
        OR CAST(error_hash AS varchar) = ANY(CAST($hashes AS varchar[]))
        OR shape = ANY(CAST($shapes AS varchar[]))
    )
    ORDER BY time DESC, id
    LIMIT 2000
), near AS (
    SELECT s.id AS error, s.person, s.time AS error_time, e.id, e.time, e.type,
        coalesce(e.function, parameter('item'), parameter('dialog'), parameter('viewer'), e.entity_name, e.entity_id) AS what
    FROM chosen_errors s
    JOIN events e ON e.session = s.session
    WHERE e.time >= CAST($since AS timestamp) - INTERVAL '30 minutes' AND e.time < $until
        AND e.time < s.time AND e.time >= s.time - INTERVAL '30 minutes' AND NOT is_error() AND seen()
    UNION ALL
    SELECT s.id, s.person, s.time, e.id, e.time, e.type,
        coalesce(e.function, parameter('item'), parameter('dialog'), parameter('viewer'), e.entity_name, e.entity_id)
    FROM chosen_errors s
    JOIN events e ON of_request(s.request_id)
    WHERE s.session IS NULL AND e.time >= CAST($since AS timestamp) - INTERVAL '30 minutes' AND e.time < $until
        AND e.time < s.time AND e.time >= s.time - INTERVAL '30 minutes' AND NOT is_error() AND seen()
), placed AS (
    SELECT *, row_number() OVER (PARTITION BY error ORDER BY time DESC, id DESC) AS place FROM near
), last_done AS (
    SELECT
        type, what, person,
        CAST(extract(epoch FROM error_time - time) AS double precision) AS seconds,
        count(*) OVER () AS every
    FROM placed
    WHERE place = 1
)
SELECT
    type,
    what,
    count(*) AS errors,
    CAST(count(*) AS double precision) * 100 / max(every) AS share_percent,
    count(DISTINCT person) AS people,
    percentile(0.5, seconds) AS median_s,
    count(*) OVER () AS "of"
FROM last_done
GROUP BY 1, 2
ORDER BY errors DESC, type, what
LIMIT $limit
