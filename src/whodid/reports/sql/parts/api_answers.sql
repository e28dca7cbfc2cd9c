-- Queries of API nodes with what they were asked and what they answered, under whichever names these are told: at most
-- $sample of each endpoint and time, by chance but always the same.
counted AS MATERIALIZED (
    SELECT e.service, e.endpoint, e.time >= $since AS is_current, count(*) AS queries
    FROM query_events e
    WHERE e.time < $until AND (e.time >= $since OR (e.time >= $reference_since AND e.time < $reference_until))
        AND chosen() AND ($service = '' OR e.service = $service)
    GROUP BY 1, 2, 3
), likely AS (
    -- What no endpoint needs, not even the one with the fewest queries, is left out while it is read.
    SELECT e.id, e.time, e.service, e.endpoint, e.chance, e.time >= $since AS is_current
    FROM query_events e
    WHERE e.time < $until AND (e.time >= $since OR (e.time >= $reference_since AND e.time < $reference_until))
        AND chosen() AND ($service = '' OR e.service = $service)
        AND e.chance < (SELECT (3 * $sample + 100) / CAST(min(queries) AS double precision) FROM counted)
), placed AS (
    -- Three times as many as are wanted are put in order.
    SELECT
        a.id, a.time, a.service, a.endpoint, a.is_current, c.queries,
        row_number() OVER (PARTITION BY a.service, a.endpoint, a.is_current ORDER BY a.chance, a.id) AS place
    FROM likely a
    JOIN counted c ON c.service = a.service AND c.endpoint = a.endpoint AND c.is_current = a.is_current
    WHERE a.chance * c.queries < 3 * $sample + 100
), told AS (
    SELECT
        p.service, p.endpoint, p.is_current, p.place, p.queries,
        texts_of(
            e."parameters", '/features', '/input', '/inputs', '/record', '/records', '/params', '/query', '/result',
            '/results', '/output', '/outputs', '/response', '/prediction', '/predictions'
        ) AS t
    FROM placed p
    JOIN events e ON e.id = p.id AND e.time = p.time
    WHERE p.place <= $sample AND e.topic = 'apinode-query' AND e.time < $until
        AND (e.time >= $since OR (e.time >= $reference_since AND e.time < $reference_until)) AND seen()
), sampled AS (
    SELECT
        service, endpoint, is_current, place, queries,
        coalesce(t[1], t[2], t[3], t[4], t[5], t[6], t[7]) AS features,
        coalesce(t[8], t[9], t[10], t[11], t[12], t[13], t[14]) AS result
    FROM told
)
